"""Registered datasets: a version is one JSON file, claimed by whoever creates it first; definitions by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from mlsteps.exceptions import UserErrorException
from mlsteps.records.layout import path_part
from mlsteps.records.store import RecordStore, dump_json, known_fields, read_record
from mlsteps.records.versions import numbered_versions

VERSION = 1
DATASETS = "mlsteps/registry/datasets"
DEFINITIONS = "mlsteps/registry/dataset-definitions"


class DatasetStore(RecordStore, Protocol):
    """A record store from which names can be taken again."""

    def delete(self, path: str) -> None:
        """Delete a file, or everything below a folder."""


@dataclass(frozen=True)
class DatasetRecord:
    """One version of a registered dataset.

    :param id: Made from the definition: equal ids are equal definitions.
    :param definition: What the dataset is, as ``data.datasets.definition`` writes it.
    """

    name: str
    dataset_version: int
    id: str
    definition: Mapping[str, Any]
    created: str
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptDefinition:
    """A definition under its id, with the registration that last had it, if any."""

    definition: Mapping[str, Any]
    name: str | None = None
    dataset_version: int | None = None


def register_dataset(
    store: DatasetStore,
    name: str,
    id: str,
    definition: Mapping[str, Any],
    created: str,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    new_version: bool = False,
) -> DatasetRecord:
    """Register a definition under ``name``; the newest version that has this definition already serves.

    :param new_version: Whether another definition may become the next version.
    :raises UserErrorException: ``name`` has another definition, and ``new_version`` is false.
    """
    while True:  # until nobody else takes the version meanwhile
        latest = read_dataset(store, name)
        if latest is not None and latest.id == id:
            return update_dataset(store, latest, description, tags)
        if latest is not None and not new_version:
            raise UserErrorException(
                f"register: there is already another dataset called {name!r} (version "
                f"{latest.dataset_version}). Pass create_new_version=True to make this one its next version, "
                f"or choose another name."
            )
        version = 1 if latest is None else latest.dataset_version + 1
        record = DatasetRecord(name, version, id, definition, created, description, tags or {})
        if store.create(_file(name, version), _dump(record)):
            keep_definition(store, id, definition, name, version)
            return record


def update_dataset(
    store: DatasetStore, record: DatasetRecord, description: str | None, tags: Mapping[str, str] | None
) -> DatasetRecord:
    """Change what is said about a version; None leaves it as it is."""
    changed = replace(
        record,
        description=record.description if description is None else description,
        tags=record.tags if tags is None else dict(tags),
    )
    if changed != record:
        store.write(_file(record.name, record.dataset_version), _dump(changed))
    return changed


def read_dataset(store: DatasetStore, name: str, version: int | None = None) -> DatasetRecord | None:
    """A dataset by name, the newest version by default; None if there is none."""
    if version is None:
        versions = numbered_versions(store, f"{DATASETS}/{path_part(name)}")
        if not versions:
            return None
        version = versions[-1]
    return read_record(store, _file(name, version), VERSION, _from_json)


def list_datasets(store: DatasetStore) -> dict[str, DatasetRecord]:
    """The newest version of every dataset, by name."""
    found = {}
    for folder in store.list_names(DATASETS):
        versions = numbered_versions(store, f"{DATASETS}/{folder}")
        record = (
            read_record(store, f"{DATASETS}/{folder}/{versions[-1]}.json", VERSION, _from_json)
            if versions
            else None
        )
        if record is not None:
            found[record.name] = record
    return dict(sorted(found.items()))


def dataset_versions(store: DatasetStore, name: str) -> list[int]:
    """The versions that ``name`` has, in order."""
    return numbered_versions(store, f"{DATASETS}/{path_part(name)}")


def delete_dataset(store: DatasetStore, name: str) -> None:
    """Forget all versions of ``name``. Definitions stay readable by their id."""
    store.delete(f"{DATASETS}/{path_part(name)}")


def keep_definition(
    store: DatasetStore,
    id: str,
    definition: Mapping[str, Any],
    name: str | None = None,
    version: int | None = None,
) -> None:
    """Make a definition readable by its id; one that is registered also says as what."""
    kept = KeptDefinition(definition, name, version)
    data = dump_json({"version": VERSION, **asdict(kept)})
    if name is None:
        store.create(f"{DEFINITIONS}/{path_part(id)}.json", data)
    else:
        store.write(f"{DEFINITIONS}/{path_part(id)}.json", data)


def read_definition(store: DatasetStore, id: str) -> KeptDefinition | None:
    """The definition with this id, or None."""
    return read_record(
        store,
        f"{DEFINITIONS}/{path_part(id)}.json",
        VERSION,
        lambda value: KeptDefinition(value["definition"], value["name"], value["dataset_version"]),
    )


def _from_json(value: dict[str, Any]) -> DatasetRecord:
    return DatasetRecord(**known_fields(DatasetRecord, value))


def _dump(record: DatasetRecord) -> bytes:
    return dump_json({"version": VERSION, **asdict(record)})


def _file(name: str, version: int) -> str:
    return f"{DATASETS}/{path_part(name)}/{version}.json"
