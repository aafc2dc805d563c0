"""Datastores that were registered in code: what each is, beside those that are configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.records import layout
from mlsteps.records.store import dump_json, load_json

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

_FOLDER = "mlsteps/registry/datastores"
_DEFAULT = "mlsteps/registry/default-datastore.json"
_VERSION = 1


def register_datastore(store: Store, name: str, settings: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Keep a datastore's settings; False if others stand under this name and may not be replaced."""
    data = dump_json({"version": _VERSION, "name": name, "settings": dict(settings)})
    if store.create(_path(name), data):
        return True
    if registered_datastore(store, name) == settings:
        return True
    if overwrite:
        store.write(_path(name), data)
    return overwrite


def registered_datastore(store: Store, name: str) -> dict[str, Any] | None:
    """The settings of a registered datastore, or None."""
    found = load_json(store, _path(name), _VERSION)
    return None if found is None else dict(found["settings"])


def registered_datastores(store: Store) -> list[str]:
    """The names of all that are registered."""
    found = (load_json(store, file.path, _VERSION) for file in store.list(_FOLDER))
    return sorted(str(one["name"]) for one in found if one is not None)


def unregister_datastore(store: Store, name: str) -> None:
    """Forget a datastore; what it holds stays."""
    store.delete(_path(name))


def set_default_datastore(store: Store, name: str) -> None:
    """Make this the datastore of data for which none is named."""
    store.write(_DEFAULT, dump_json({"version": _VERSION, "name": name}))


def default_datastore(store: Store) -> str | None:
    """The name that was last made the default one, or None."""
    found = load_json(store, _DEFAULT, _VERSION)
    return None if found is None else str(found["name"])


def _path(name: str) -> str:
    return f"{_FOLDER}/{layout.path_part(name)}.json"
