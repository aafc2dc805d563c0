"""Pipeline endpoints as the workspace's registry has them, and whose each name is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlsteps.records.layout import path_part
from mlsteps.records.states import States
from mlsteps.records.store import RecordStore, dump_json, load_json
from mlsteps.records.versions import newest_path, next_path

VERSION = 1
NAMES = "mlsteps/registry/pipeline-endpoint-names"


@dataclass(frozen=True)
class EndpointRecord:
    """A pipeline endpoint as it is at one time.

    :param status: ``Active`` or ``Disabled``.
    :param archived: Whether it is put away, and has no DAG.
    :param versions: Ids of published pipelines by version: "0", "1", ...
    """

    id: str
    name: str
    description: str
    status: str
    default_version: str
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    archived: bool = False


ENDPOINTS = States("mlsteps/registry/pipeline-endpoints", VERSION, EndpointRecord)


def create_endpoint(store: RecordStore, record: EndpointRecord) -> bool:
    """Write a new endpoint; False if its name is another one's."""
    return take_name(store, record.name, record.id) and ENDPOINTS.create(store, record)


def endpoint_called(store: RecordStore, name: str) -> str | None:
    """The id of the endpoint of this name, or None."""
    path = newest_path(store, _name_folder(name))
    found = load_json(store, path, VERSION) if path else None
    return None if found is None else found["endpoint"]


def take_name(store: RecordStore, name: str, id: str) -> bool:
    """Give a name to an endpoint; False if it is another one's."""
    while True:
        path = next_path(store, _name_folder(name))
        owner = endpoint_called(store, name)
        if owner is not None:
            return owner == id
        if store.create(path, dump_json({"version": VERSION, "name": name, "endpoint": id})):
            return True


def give_name_back(store: RecordStore, name: str, id: str) -> None:
    """Let others have the name of an endpoint."""
    while endpoint_called(store, name) == id:
        data = dump_json({"version": VERSION, "name": name, "endpoint": None})
        store.create(next_path(store, _name_folder(name)), data)


def _name_folder(name: str) -> str:
    return f"{NAMES}/{path_part(name)}"
