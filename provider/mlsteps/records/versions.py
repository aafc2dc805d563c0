"""Numbered versions of a registered thing: files called ``1.json``, ``2.json``, ... in its folder."""

from __future__ import annotations

from mlsteps.records.store import RecordStore


def numbered_versions(store: RecordStore, folder: str) -> list[int]:
    """The versions in a folder, in order."""
    names = store.list_names(folder)
    return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit())
