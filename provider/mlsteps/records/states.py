"""Things that change: each has a folder of numbered files, and every change is one more file with all of it.

None is ever replaced, so a listing tells whether anything has changed, and two who change a thing at the same
time do each other no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mlsteps.records.layout import path_part
from mlsteps.records.names import Names
from mlsteps.records.store import RecordStore, dump_json, known_fields, read_record, record_of
from mlsteps.records.versions import newest_path, next_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class Thing(DataclassInstance, Protocol):
        """What there are states of."""

        @property
        def id(self) -> str: ...
        @property
        def created(self) -> str: ...


T = TypeVar("T", bound="Thing")


@dataclass(frozen=True)
class States(Generic[T]):
    """All things of one kind.

    :param root: The folder that has theirs.
    :param version: Of the format.
    :param kind: A dataclass of plain values.
    """

    root: str
    version: int
    kind: type[T]

    def create(self, store: RecordStore, thing: T) -> bool:
        """Write a new one; False if there is one of its id."""
        return store.create(f"{self._folder(thing.id)}/1.json", self._dump(thing))

    def create_named(self, store: RecordStore, names: Names, thing: T) -> T | None:
        """Write a new one whose name is its own; None if the name is another one's.

        Where somebody was killed who had taken the name and no more, the thing is made under the id that
        the name was taken for: should they go on after all, only one of the two makes it.

        :returns: As it was made.
        """
        name: str = thing.name  # type: ignore[attr-defined]
        while not names.take(store, name, thing.id):
            owner = names.of(store, name)
            if owner is not None:
                thing = replace(thing, id=owner)
                break
        return thing if self.create(store, thing) else None

    def of(self, data: bytes, path: str) -> T:
        """What a file has which was read before.

        :raises RecordFormatError: it is none.
        """
        return record_of(data, path, self.version, self._from_json)

    def read(self, store: RecordStore, id: str) -> T | None:
        """One as it is now, or None."""
        return self._in(store, self._folder(id))

    def named(self, store: RecordStore, names: Names, id: str | None, name: str | None) -> T | None:
        """The one of this id, or of this name, or of both; None if there is none."""
        owner = None if name is None else names.of(store, name)
        if id is None:
            id = owner
        return None if id is None or (name is not None and id != owner) else self.read(store, id)

    def list(self, store: RecordStore) -> list[T]:
        """All of them, the newest first."""
        found = (self._in(store, f"{self.root}/{name}") for name in store.list_names(self.root))
        there = [thing for thing in found if thing is not None]
        return sorted(there, key=lambda thing: (thing.created, thing.id), reverse=True)

    def change(self, store: RecordStore, id: str, change: Callable[[T], T]) -> T:
        """Change one, whatever others change at the same time.

        :param change: Makes the new state of the one that is there; called again if somebody else was first.
        """
        while True:
            path = next_path(store, self._folder(id))
            before = self.read(store, id)
            assert before is not None
            after = change(before)
            # Somebody who was first between the two made another file of this number, or a later one.
            if after == before or store.create(path, self._dump(after)):
                return after

    def _in(self, store: RecordStore, folder: str) -> T | None:
        path = newest_path(store, folder)
        return None if path is None else read_record(store, path, self.version, self._from_json)

    def _folder(self, id: str) -> str:
        return f"{self.root}/{path_part(id)}"

    def _dump(self, thing: T) -> bytes:
        return dump_json({"version": self.version, **asdict(thing)})

    def _from_json(self, value: dict[str, Any]) -> T:
        return self.kind(**known_fields(self.kind, value))
