"""What reuse needs of a storage; any ``mlsteps.data.stores.Store`` has it."""

from __future__ import annotations

from typing import Protocol

from mlsteps.records.store import RecordStore


class ReuseStorage(RecordStore, Protocol):
    """Small files by path, written all or nothing, that can be deleted."""

    def delete(self, path: str) -> None:
        """Delete a file. Nothing there is no error."""
