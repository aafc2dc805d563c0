"""Datastores that were registered in code: what each is, beside those that are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.records.named_settings import NamedSettings
from mlsteps.records.store import dump_json, load_json

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

_DEFAULT = "mlsteps/registry/default-datastore.json"
_VERSION = 1

_REGISTERED = NamedSettings("mlsteps/registry/datastores")
register_datastore = _REGISTERED.register
registered_datastore = _REGISTERED.find
registered_datastores = _REGISTERED.names
unregister_datastore = _REGISTERED.forget


def set_default_datastore(store: Store, name: str) -> None:
    """Make this the datastore of data for which none is named."""
    store.write(_DEFAULT, dump_json({"version": _VERSION, "name": name}))


def default_datastore(store: Store) -> str | None:
    """The name that was last made the default one, or None."""
    found = load_json(store, _DEFAULT, _VERSION)
    return None if found is None else str(found["name"])
