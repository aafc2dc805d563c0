"""Numbered versions of a registered thing: files called ``1.json``, ``2.json``, ... in its folder."""

from __future__ import annotations

from collections.abc import Iterable

from mlsteps.records.store import RecordStore


def numbered_versions(store: RecordStore, folder: str) -> list[int]:
    """The versions in a folder, in order."""
    return numbers_of(store.list_names(folder))


def numbers_of(names: Iterable[str]) -> list[int]:
    """The versions among the names in a folder, in order."""
    return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit())


def next_path(store: RecordStore, folder: str) -> str:
    """Where the next version goes. It is whose who creates it; a file that is there was somebody else's."""
    return f"{folder}/{(numbered_versions(store, folder) or [0])[-1] + 1}.json"


def newest_path(store: RecordStore, folder: str) -> str | None:
    """Where the newest version lies; None if there is none."""
    versions = numbered_versions(store, folder)
    return f"{folder}/{versions[-1]}.json" if versions else None
