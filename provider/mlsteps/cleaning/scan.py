"""Scan: all records at one time, each read once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlsteps.cleaning.entries import Entry, entry_paths, scan_entry
from mlsteps.cleaning.reading import read_bytes
from mlsteps.cleaning.references import in_text
from mlsteps.cleaning.runs import Run, run_folders, scan_run
from mlsteps.cleaning.things import Thing
from mlsteps.data.stores import Store
from mlsteps.records import layout

# Told what is being done, how much of it is done, and how much there is of it.
Tell = Callable[[str, int, int], None]

_REGISTRY = posixpath.dirname(layout.MODELS)


@dataclass(frozen=True)
class Scan:
    """Who there is to refer to anything.

    :param registered: What models, and whatever else is registered, refer to.
    """

    runs: tuple[Run, ...] = ()
    entries: tuple[Entry, ...] = ()
    registered: frozenset[Thing] = frozenset()

    @property
    def found(self) -> tuple[Run | Entry, ...]:
        """Runs and entries."""
        return (*self.runs, *self.entries)

    @property
    def problems(self) -> tuple[str, ...]:
        """What cannot be read."""
        return tuple(found.problem for found in self.found if found.problem)


def scan(store: Store, tell: Tell) -> Scan:
    """Read all records. An error of the store is raised; a file that is no record is only a problem."""
    paths, entries = entry_paths(store), []
    for number, path in enumerate(paths):
        tell("reading results", number, len(paths))
        entries.append(scan_entry(store, path))
    return scan_again(store, Scan(entries=tuple(entry for entry in entries if entry)), tell)


def scan_again(store: Store, before: Scan, tell: Tell) -> Scan:
    """The same entries, with the runs and what is registered as they are now."""
    folders, runs = run_folders(store), []
    for number, folder in enumerate(folders):
        tell("reading runs", number, len(folders))
        runs.append(scan_run(store, folder))
    registered = (in_text(read_bytes(store, info.path)) for info in store.list(_REGISTRY))
    return replace(
        before,
        runs=tuple(run for run in runs if run),
        registered=frozenset[Thing]().union(*registered),
    )
