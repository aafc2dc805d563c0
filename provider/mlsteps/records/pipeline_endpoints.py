"""Pipeline endpoints: each change is one more file with all of an endpoint in it, made by who is first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.store import RecordStore, dump_json, load_json, read_record, record_of
from mlsteps.records.versions import newest_path, next_path

VERSION = 1
ENDPOINTS = "mlsteps/registry/pipeline-endpoints"
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


def create_endpoint(store: RecordStore, record: EndpointRecord) -> bool:
    """Write a new endpoint; False if its name is another one's."""
    if not take_name(store, record.name, record.id):
        return False
    return store.create(f"{_folder(record.id)}/1.json", _dump(record))


def endpoint_of(data: bytes, path: str) -> EndpointRecord:
    """The endpoint that a file has which was read before.

    :raises RecordFormatError: it is none.
    """
    return record_of(data, path, VERSION, _from_json)


def read_endpoint(store: RecordStore, id: str) -> EndpointRecord | None:
    """An endpoint as it is now, or None."""
    path = newest_path(store, _folder(id))
    return None if path is None else read_record(store, path, VERSION, _from_json)


def list_endpoints(store: RecordStore) -> list[EndpointRecord]:
    """Every endpoint, the newest first."""
    found = (read_endpoint(store, name) for name in store.list_names(ENDPOINTS))
    there = [record for record in found if record is not None]
    return sorted(there, key=lambda record: (record.created, record.id), reverse=True)


def change_endpoint(
    store: RecordStore, id: str, change: Callable[[EndpointRecord], EndpointRecord]
) -> EndpointRecord:
    """Change an endpoint, whatever others change at the same time.

    :param change: Makes the new state of the one that is there; called again if somebody else was first.
    """
    while True:
        path = next_path(store, _folder(id))
        before = read_endpoint(store, id)
        assert before is not None
        after = change(before)
        # Somebody who was first between the two made another file of this number, or a later one.
        if after == before or store.create(path, _dump(after)):
            return after


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


def _folder(id: str) -> str:
    return f"{ENDPOINTS}/{path_part(id)}"


def _name_folder(name: str) -> str:
    return f"{NAMES}/{path_part(name)}"


def _dump(record: EndpointRecord) -> bytes:
    return dump_json({"version": VERSION, **asdict(record)})


_FIELDS = {f.name for f in fields(EndpointRecord)}


def _from_json(value: dict[str, Any]) -> EndpointRecord:
    return EndpointRecord(**{key: part for key, part in value.items() if key in _FIELDS})
