"""Registered models: a version is one JSON file, claimed by whoever creates it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mlsteps.records import layout
from mlsteps.records.store import RecordStore, dump_json, read_record
from mlsteps.records.versions import numbered_versions

VERSION = 1


@dataclass(frozen=True)
class ModelRecord:
    """One version of a model.

    :param path: Its file or folder on the record store.
    :param run_id: The step run that registered it.
    """

    name: str
    model_version: int
    path: str
    created: str
    run_id: str
    dag_id: str
    dag_run_id: str
    description: str | None = None
    framework: str | None = None
    framework_version: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.model_version}"


def latest_versions(store: RecordStore) -> dict[str, int]:
    """The newest version of every model, by the folder name of the model."""
    found = {}
    for name in store.list_names(layout.MODELS):
        versions = numbered_versions(store, f"{layout.MODELS}/{name}")
        if versions:
            found[name] = versions[-1]
    return found


def register_model(store: RecordStore, **known: Any) -> ModelRecord:
    """Register a model under the next free version of its name.

    :param known: The fields of the record, without the version.
    """
    folder = layout.path_part(known["name"])
    versions = numbered_versions(store, f"{layout.MODELS}/{folder}")
    version = (versions[-1] if versions else 0) + 1
    while True:
        record = ModelRecord(model_version=version, **known)
        data = dump_json({"version": VERSION, **asdict(record)})
        if store.create(f"{layout.MODELS}/{folder}/{version}.json", data):
            return record
        version += 1  # somebody else took this one


def read_model(store: RecordStore, name: str, version: int | None = None) -> ModelRecord | None:
    """A model by name, the newest version by default; None if there is none."""
    folder = layout.path_part(name)
    versions = numbered_versions(store, f"{layout.MODELS}/{folder}")
    wanted = version if version is not None else (versions[-1] if versions else None)
    if not wanted:
        return None
    return read_record(store, f"{layout.MODELS}/{folder}/{wanted}.json", VERSION, _from_json)


_FIELDS = {f.name for f in fields(ModelRecord)}


def _from_json(value: dict[str, Any]) -> ModelRecord:
    return ModelRecord(**{k: v for k, v in value.items() if k in _FIELDS})
