"""Published pipelines: files that are created once and never replaced.

So a listing of names tells whether anything has changed, and two who write at once do each other no harm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.store import RecordStore, dump_json, known_fields, load_json, read_record, record_of
from mlsteps.records.versions import newest_path, next_path

VERSION = 1
PIPELINES = "mlsteps/registry/pipelines"
ACTIVE, DISABLED = "Active", "Disabled"


@dataclass(frozen=True)
class PublishedRecord:
    """One publication of a pipeline; its definition lies beside it.

    :param id: Its own.
    :param name: Several publications may have one name; the newest active one is the DAG of that name.
    :param pipeline_version: Whatever its publisher calls it.
    :param definition: Digest of the definition.
    :param step_names: In an order in which they can run.
    :param continue_on_step_failure: Whether steps go on that do not depend on one that failed.
    :param created: UTC, ISO 8601.
    """

    id: str
    name: str
    created: str
    definition: str
    description: str | None = None
    pipeline_version: str | None = None
    continue_on_step_failure: bool | None = None
    step_names: tuple[str, ...] = ()


def keep_published(store: RecordStore, record: PublishedRecord, definition: bytes) -> None:
    """Write a publication; it is there with the last of its files."""
    folder = _folder(record.id)
    store.write(f"{folder}/definition.json", definition)
    store.create(f"{folder}/published.json", dump_json({"version": VERSION, **asdict(record)}))


def read_published(store: RecordStore, id: str) -> PublishedRecord | None:
    """A publication by its id, or None."""
    return read_record(store, f"{_folder(id)}/published.json", VERSION, _from_json)


def published_of(data: bytes, path: str) -> PublishedRecord:
    """The publication that a file has which was read before.

    :raises RecordFormatError: it is none.
    """
    return record_of(data, path, VERSION, _from_json)


def list_published(store: RecordStore) -> list[PublishedRecord]:
    """Every publication, the newest first."""
    found = (read_published(store, name) for name in store.list_names(PIPELINES))
    there = [record for record in found if record is not None]
    return sorted(there, key=lambda record: (record.created, record.id), reverse=True)


def read_definition_of(store: RecordStore, id: str) -> bytes:
    """The definition of a publication. Raises FileNotFoundError."""
    return store.read(f"{_folder(id)}/definition.json")


def status_of(store: RecordStore, id: str) -> str:
    """``Active`` or ``Disabled``."""
    path = newest_path(store, _status_folder(id))
    found = load_json(store, path, VERSION) if path else None
    return ACTIVE if found is None else str(found["status"])


def said_status(data: bytes, path: str) -> str:
    """The status that a file says which was read before."""
    return str(record_of(data, path, VERSION, lambda value: value["status"]))


def set_status(store: RecordStore, id: str, status: str) -> None:
    """Make a publication active or disabled; the last one who says so counts."""
    data = dump_json({"version": VERSION, "status": status})
    while status_of(store, id) != status:
        store.create(next_path(store, _status_folder(id)), data)


def _folder(id: str) -> str:
    return f"{PIPELINES}/{path_part(id)}"


def _status_folder(id: str) -> str:
    return f"{_folder(id)}/status"


def _from_json(value: dict[str, Any]) -> PublishedRecord:
    known = known_fields(PublishedRecord, value)
    return PublishedRecord(**{**known, "step_names": tuple(known.get("step_names", ()))})
