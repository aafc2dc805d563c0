"""Tables of steps and runs, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

STATE_STYLES = {
    "ran": "green",
    "success": "green",
    "reused": "cyan",
    "failed": "bold red",
    "canceled": "yellow",
    "skipped": "yellow",
    "not_started": "dim",
    "running": "blue",
}


def steps_table(report: Mapping[str, Any]) -> Table:
    """The steps of a run: state, seconds, outputs, metrics, and why they ran or were reused."""
    table = Table(title=None, show_edge=False, pad_edge=False, header_style="bold")
    explained = any(step.get("reason") for step in report["steps"])
    for column in ("step", "state", "seconds", "outputs", "metrics", *(("why",) if explained else ())):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for step in report["steps"]:
        style = STATE_STYLES.get(step["state"], "")
        table.add_row(
            escape(step["name"].strip()),
            f"[{style}]{step['state']}[/{style}]" if style else step["state"],
            f"{step['seconds']:.1f}" if step["seconds"] is not None else "",
            escape(", ".join(step["outputs"])),
            escape(one_line_metrics(step["metrics"])),
            *((escape(_short_reason(step)),) if explained else ()),
        )
    return table


def _short_reason(step: Mapping[str, Any]) -> str:
    lines = (step.get("reason") or "").splitlines()
    reason = lines[0] if lines else ""
    # Which run a result is from takes more room than a column has.
    return reason.partition(": ")[2] or reason if step["state"] == "reused" else reason


def one_line_metrics(metrics: Mapping[str, Any]) -> str:
    """Numbers and short texts among the metrics; of a list its last value."""
    parts = []
    for name, value in metrics.items():
        shown = value[-1] if isinstance(value, list) and value else value
        if isinstance(shown, float):
            parts.append(f"{name}={shown:.4g}")
        elif isinstance(shown, (int, str)) and len(str(shown)) <= 24:
            parts.append(f"{name}={shown}")
    return " ".join(parts)
