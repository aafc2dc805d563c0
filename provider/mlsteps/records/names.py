"""Whose a name is: things of one kind that have an id and are found by a name which no other one has."""

from __future__ import annotations

from dataclasses import dataclass

from mlsteps.records.layout import path_part
from mlsteps.records.store import RecordStore, dump_json, load_json
from mlsteps.records.versions import newest_path, next_path

_VERSION = 1


@dataclass(frozen=True)
class Names:
    """The names of all things of one kind.

    :param root: The folder that has theirs.
    :param owner: What such a thing is called in a file.
    """

    root: str
    owner: str

    def of(self, store: RecordStore, name: str) -> str | None:
        """The id of the one that has a name, or None."""
        path = newest_path(store, self._folder(name))
        found = load_json(store, path, _VERSION) if path else None
        return None if found is None else found[self.owner]

    def take(self, store: RecordStore, name: str, id: str) -> bool:
        """Give a name to a thing; False if it is another one's."""
        while True:
            path = next_path(store, self._folder(name))
            owner = self.of(store, name)
            if owner is not None:
                return owner == id
            if store.create(path, dump_json({"version": _VERSION, "name": name, self.owner: id})):
                return True

    def give_back(self, store: RecordStore, name: str, id: str) -> None:
        """Let others have a name that was this thing's."""
        while self.of(store, name) == id:
            data = dump_json({"version": _VERSION, "name": name, self.owner: None})
            store.create(next_path(store, self._folder(name)), data)

    def _folder(self, name: str) -> str:
        return f"{self.root}/{path_part(name)}"
