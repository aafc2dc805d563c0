"""Registered environments: a version is one JSON file, claimed by whoever creates it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.store import RecordStore, dump_json, known_fields, read_record
from mlsteps.records.versions import numbered_versions

VERSION = 1
ENVIRONMENTS = "mlsteps/registry/environments"


@dataclass(frozen=True)
class EnvironmentRecord:
    """One version of a registered environment.

    :param definition: What it asks for, as ``Environment.to_plain`` writes it, without secrets.
    """

    name: str
    environment_version: int
    definition: Mapping[str, Any]
    created: str


def register_environment(
    store: RecordStore, name: str, definition: Mapping[str, Any], created: str
) -> EnvironmentRecord:
    """Register a definition under ``name``; a newest version that has this definition already serves."""
    while True:  # until nobody else takes the version meanwhile
        latest = read_environment(store, name)
        if latest is not None and latest.definition == definition:
            return latest
        version = 1 if latest is None else latest.environment_version + 1
        record = EnvironmentRecord(name, version, definition, created)
        data = dump_json({"version": VERSION, **asdict(record)})
        if store.create(f"{ENVIRONMENTS}/{path_part(name)}/{version}.json", data):
            return record


def read_environment(store: RecordStore, name: str, version: int | None = None) -> EnvironmentRecord | None:
    """An environment by name, the newest version by default; None if there is none."""
    folder = path_part(name)
    if version is None:
        versions = numbered_versions(store, f"{ENVIRONMENTS}/{folder}")
        if not versions:
            return None
        version = versions[-1]
    return read_record(store, f"{ENVIRONMENTS}/{folder}/{version}.json", VERSION, _from_json)


def environment_versions(store: RecordStore, name: str) -> list[int]:
    """The versions that ``name`` has, in order."""
    return numbered_versions(store, f"{ENVIRONMENTS}/{path_part(name)}")


def list_environments(store: RecordStore) -> dict[str, EnvironmentRecord]:
    """The newest version of every environment, by name."""
    found = {}
    for folder in store.list_names(ENVIRONMENTS):
        versions = numbered_versions(store, f"{ENVIRONMENTS}/{folder}")
        if versions:
            path = f"{ENVIRONMENTS}/{folder}/{versions[-1]}.json"
            record = read_record(store, path, VERSION, _from_json)
            if record is not None:
                found[record.name] = record
    return dict(sorted(found.items()))


def _from_json(value: dict[str, Any]) -> EnvironmentRecord:
    return EnvironmentRecord(**known_fields(EnvironmentRecord, value))
