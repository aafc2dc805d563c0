"""Entry: what clearing up has to know of a reuse entry."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from datetime import datetime

from mlsteps.cleaning.reading import moment, problem_with, read_bytes
from mlsteps.cleaning.references import fixed_destinations, in_text, of_entry
from mlsteps.cleaning.things import ENTRIES, Thing
from mlsteps.data.stores import Store
from mlsteps.reuse import layout
from mlsteps.reuse.entry import read_entry

_PATH = re.compile(rf"{re.escape(layout.ENTRIES)}/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}\.json")


@dataclass(frozen=True)
class Entry:
    """One reuse entry.

    :param created: None if it cannot be read.
    :param fixed: Folders among the outputs that a user chose the name of.
    :param problem: Why it cannot be read.
    """

    path: str
    created: datetime | None
    refers_to: frozenset[Thing]
    fixed: frozenset[str] = frozenset()
    problem: str | None = None

    @property
    def thing(self) -> Thing:
        """The entry as a node of the web."""
        return Thing(ENTRIES, _digits(self.path))


def entry_paths(store: Store) -> list[str]:
    """Where entries lie."""
    return [info.path for info in store.list(layout.ENTRIES) if _PATH.fullmatch(info.path)]


def scan_entry(store: Store, path: str) -> Entry | None:
    """The entry at a path, or None where there is none any more."""
    try:
        entry = read_entry(store, path)
        if entry is None:
            return None
        if layout.digits(entry.fingerprint) != _digits(path):
            raise ValueError(f"it is of {entry.fingerprint}")
        fixed = frozenset(fixed_destinations(entry.key))
        return Entry(path, moment(entry.created), of_entry(entry), fixed)
    except Exception as error:  # of the store, which then fails again, or whatever odd content leads to
        data = read_bytes(store, path)
        return Entry(path, None, in_text(data), problem=problem_with(path, error)) if data else None


def _digits(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]
