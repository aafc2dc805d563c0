"""Settings that are kept under a name for all who use a workspace: of datastores, of compute targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.records import layout
from mlsteps.records.store import dump_json, load_json

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

_VERSION = 1


class NamedSettings:
    """The settings in one folder of a workspace, one file for each name. They never hold a secret.

    :param folder: On the store that holds the records.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def register(self, store: Store, name: str, settings: Mapping[str, Any], *, overwrite: bool) -> bool:
        """Keep settings; False if others stand under this name and may not be replaced."""
        data = dump_json({"version": _VERSION, "name": name, "settings": dict(settings)})
        if store.create(self._path(name), data):
            return True
        if self.find(store, name) == settings:
            return True
        if overwrite:
            store.write(self._path(name), data)
        return overwrite

    def find(self, store: Store, name: str) -> dict[str, Any] | None:
        """The settings under a name, or None."""
        found = load_json(store, self._path(name), _VERSION)
        return None if found is None else dict(found["settings"])

    def names(self, store: Store) -> list[str]:
        """All names."""
        found = (load_json(store, file.path, _VERSION) for file in store.list(self._folder))
        return sorted(str(one["name"]) for one in found if one is not None)

    def forget(self, store: Store, name: str) -> None:
        """Remove what stands under a name."""
        store.delete(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{layout.path_part(name)}.json"
