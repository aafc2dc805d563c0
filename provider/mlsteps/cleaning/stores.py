"""Stores: where a workspace keeps things, and what of them lies there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlsteps.cleaning.things import LISTINGS, OUTPUT_ROOTS, OUTPUTS, SNAPSHOTS, Thing
from mlsteps.data.stores import Store
from mlsteps.records import layout
from mlsteps.reuse import listings

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

# An archive, or the draft of one that was left by a kill.
_SNAPSHOT = re.compile(r"([0-9a-f]{64})\.zip|\.[0-9a-f]{64}\.zip\.[0-9a-f]{32}")


@dataclass(frozen=True)
class Place:
    """A file or folder on a store.

    :param own: Whether that is the record store, where nothing lies that only another workspace knows of.
    """

    store: Store
    path: str
    own: bool


@dataclass(frozen=True)
class Stores:
    """The stores of one workspace.

    :param others: Its datastores but for the one that holds the records.
    """

    records: Store
    others: tuple[Store, ...] = ()

    @classmethod
    def of(cls, workspace: Workspace) -> Stores:
        """All stores of a workspace; one that goes by two names is only taken once."""
        records = workspace.record_store()
        found = {records.url(""): records}
        for name in workspace.datastores:
            if workspace.datastore_config(name).is_sql:
                continue
            store = workspace.open_store(name)
            found.setdefault(store.url(""), store)
        return cls(records, tuple(store for store in found.values() if store is not records))

    def listed(self) -> Mapping[Thing, tuple[Place, ...]]:
        """Every output, snapshot and listing there is, and where it lies."""
        found: dict[Thing, tuple[Place, ...]] = {}

        def add(thing: Thing, store: Store, path: str) -> None:
            found[thing] = (*found.get(thing, ()), Place(store, path, store is self.records))

        for store in (self.records, *self.others):
            for root in OUTPUT_ROOTS:
                for name in store.list_names(root):
                    add(Thing(OUTPUTS, name), store, f"{root}/{name}")
        for name in self.records.list_names(layout.SNAPSHOTS):
            archive = _SNAPSHOT.fullmatch(name)
            if archive:
                path = f"{layout.SNAPSHOTS}/{name}"
                add(Thing(SNAPSHOTS, archive.group(1) or name), self.records, path)
        for info in self.records.list(listings.FOLDER):
            if info.path.endswith(".json"):
                name = info.path[len(listings.FOLDER) + 1 : -len(".json")]
                add(Thing(LISTINGS, name), self.records, info.path)
        return found
