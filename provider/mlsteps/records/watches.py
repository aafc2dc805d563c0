"""Watches: what has been seen of a folder that schedules look at, written by who has acted on a change.

So a change that was told to somebody who died is told again, and who is told twice finds out by its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlsteps.records.store import RecordStore, dump_json, load_json
from mlsteps.records.versions import numbered_versions

VERSION = 1
WATCHES = "mlsteps/watches"

# Who is reading one while the next ones are written finds it all the same.
_KEPT = 5


@dataclass(frozen=True)
class Watch:
    """Files directly in a folder of a datastore.

    :param minutes: From one look to the next.
    """

    datastore: str
    path: str
    minutes: float

    @property
    def id(self) -> str:
        """The same for all that look at the same as often."""
        told = f"{self.datastore}\n{self.path}\n{float(self.minutes)!r}"
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Changes:
    """What is other than it was.

    :param changed: States of files that are new or were written, by path.
    :param gone: Paths of files that are no more.
    """

    changed: Mapping[str, str]
    gone: tuple[str, ...] = ()

    @staticmethod
    def between(seen: Mapping[str, str], states: Mapping[str, str]) -> Changes:
        """The changes from what was seen to what is there."""
        changed = {path: state for path, state in states.items() if seen.get(path) != state}
        return Changes(changed, tuple(sorted(set(seen) - set(states))))

    def after(self, seen: Mapping[str, str]) -> dict[str, str]:
        """What has been seen when these changes have been."""
        return {path: state for path, state in {**seen, **self.changed}.items() if path not in self.gone}


def read_seen(store: RecordStore, watch: str) -> dict[str, str] | None:
    """States of files by path, as somebody acted on them last; None if nobody looks there yet."""
    return _newest(store, watch)[1]


def begin_watch(store: RecordStore, watch: str, states: Mapping[str, str]) -> None:
    """Count everything that is there as seen."""
    while True:
        number, seen = _newest(store, watch)
        if seen == states or _write(store, watch, number + 1, states):
            return


def note_seen(store: RecordStore, watch: str, changes: Iterable[Changes]) -> None:
    """Count changes as seen."""
    changes = list(changes)
    while True:
        number, seen = _newest(store, watch)
        after = dict(seen or {})
        for change in changes:
            after = change.after(after)
        if after == seen or _write(store, watch, number + 1, after):
            return


def _newest(store: RecordStore, watch: str) -> tuple[int, dict[str, str] | None]:
    while True:
        numbers = numbered_versions(store, f"{WATCHES}/{watch}")
        if not numbers:
            return 0, None
        found = load_json(store, f"{WATCHES}/{watch}/{numbers[-1]}.json", VERSION)
        if found is not None:  # else others have gone on meanwhile, and cleared it away
            return numbers[-1], dict(found["seen"])


def _write(store: RecordStore, watch: str, number: int, seen: Mapping[str, str]) -> bool:
    folder = f"{WATCHES}/{watch}"
    if not store.create(f"{folder}/{number}.json", dump_json({"version": VERSION, "seen": dict(seen)})):
        return False
    numbers = numbered_versions(store, folder)
    delete: Any = getattr(store, "delete", None)
    for old in numbers:
        if delete is not None and old <= numbers[-1] - _KEPT:
            delete(f"{folder}/{old}.json")
    # Else it may be a number whose file was cleared away, and nobody will read it.
    return numbers[-1] == number
