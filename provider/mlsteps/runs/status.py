"""SDK v1's words for how a run stands."""

from __future__ import annotations

# SDK v1 has two vocabularies: get_status() says the first word, the property status the second.
STATUS = {
    "running": ("Running", "Running"),
    "success": ("Finished", "Completed"),
    "ran": ("Finished", "Completed"),
    "reused": ("Finished", "Completed"),
    "failed": ("Failed", "Failed"),
    "canceled": ("Canceled", "Canceled"),
    "skipped": ("Bypassed", "Canceled"),
}
