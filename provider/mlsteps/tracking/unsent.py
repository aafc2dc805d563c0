"""Notes of what has still to be sent, on the workspace's store: whoever reaches MLflow next sends it too.

A note is a folder of numbered files, of which the newest counts. Each says in which state it is; to take one
is to write the next file, which only one can.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlsteps.records import layout
from mlsteps.records.store import dump_json, load_json
from mlsteps.records.versions import next_path, numbered_versions
from mlsteps.run.journal import utc_now

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

VERSION = 1
FOLDER = "mlsteps/mlflow/unsent"

_SENDING, _FAILED = "sending", "failed"
# Whoever is still at it after that was killed.
_KILLED_AFTER = timedelta(minutes=15)
# What one task sends for others.
_AT_ONCE = 20
# Each time it is tried in vain is two files.
_GIVEN_UP_AFTER = 10

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unsent:
    """A note.

    :param folders: Of the tries whose records are to be sent, all of one run;
    :param model: or the id of a model that no run has registered,
    :param labels: or of one whose labels have changed.
    """

    store: Store
    place: str
    folders: tuple[str, ...]
    model: str = ""
    labels: str = ""

    def done(self) -> None:
        """It was sent, or there is nothing left to send."""
        self.store.delete(self.place)

    def failed(self) -> None:
        """It was not: anybody may try."""
        self.written(_FAILED)

    def written(self, state: str, number: int | None = None) -> bool:
        """Write its state; whether this one did, if several try to write the file of this number."""
        path = next_path(self.store, self.place) if number is None else f"{self.place}/{number}.json"
        told: dict[str, Any] = {"state": state, "time": utc_now(), "folders": self.folders}
        told |= {"model": self.model, "labels": self.labels}
        return self.store.create(path, dump_json({"version": VERSION, **told}))


def noted(store: Store, key: str, folders: Sequence[str] = (), model: str = "", labels: str = "") -> Unsent:
    """Note what is about to be sent. Whoever is killed on the way leaves the note.

    :param key: Of the first of them; its name among notes.
    """
    note = Unsent(store, f"{FOLDER}/{layout.path_part(key)}", tuple(folders), model, labels)
    note.written(_SENDING)
    return note


def taken(store: Store) -> Iterator[Unsent]:
    """What others could not send, or were killed while they did; nobody else has it from now on.

    What a server that answers has refused five times is given up.
    """
    for name in store.list_names(FOLDER)[:_AT_ONCE]:
        place = f"{FOLDER}/{name}"
        versions = numbered_versions(store, place)
        told = load_json(store, f"{place}/{versions[-1]}.json", VERSION) if versions else None
        if told is None or (told["state"] == _SENDING and not _is_old(told["time"])):
            continue
        if versions[-1] >= _GIVEN_UP_AFTER:
            _LOG.warning("MLflow has refused this so often that it is not sent again: %s", name)
            store.delete(place)
            continue
        note = Unsent(store, place, tuple(told["folders"]), told["model"], told["labels"])
        if note.written(_SENDING, versions[-1] + 1):
            yield note


def _is_old(time: str) -> bool:
    return datetime.fromisoformat(utc_now()) - datetime.fromisoformat(time) > _KILLED_AFTER
