"""Registered models: a version is one JSON file, claimed by whoever creates it first.

What may change of it later, its labels, is a row of numbered files beside it, of which the newest counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlsteps.records import layout
from mlsteps.records.store import RecordStore, dump_json, known_fields, load_json, read_record
from mlsteps.records.versions import newest_path, next_path, numbered_versions

VERSION = 1


@dataclass(frozen=True)
class ModelRecord:
    """One version of a model.

    :param path: Its file or folder on the record store.
    :param run_id: The step run that registered it; empty where it was registered by hand.
    :param datasets: Pairs of a scenario, such as ``training``, and the name or id of a dataset.
    :param experiment: The label of its run.
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
    datasets: tuple[tuple[str, str], ...] = ()
    sample_input_dataset: str | None = None
    sample_output_dataset: str | None = None
    resource_configuration: Mapping[str, Any] | None = None
    experiment: str = ""

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
    if version is not None:
        return _read(store, f"{_folder(name)}/{version}")
    return next(versions_of(store, name), None)


def versions_of(store: RecordStore, name: str) -> Iterator[ModelRecord]:
    """Every version of a model that was not deleted, the newest first; read one by one."""
    return _versions_in(store, _folder(name))


def list_models(store: RecordStore) -> Iterator[Iterator[ModelRecord]]:
    """The versions of every model, each as :func:`versions_of` gives them."""
    return (_versions_in(store, f"{layout.MODELS}/{name}") for name in store.list_names(layout.MODELS))


def change_labels(store: RecordStore, name: str, version: int, change: Callable[[Labels], Labels]) -> Labels:
    """Change what may change of a model. Two who do so at once both have their way.

    :param change: Makes the new labels of those that are there.
    """
    place = f"{_folder(name)}/{version}"
    while True:
        path = next_path(store, f"{place}/labels")
        labels = change(_labels(store, place))
        if store.create(path, dump_json({"version": VERSION, **asdict(labels)})):
            return labels


@dataclass(frozen=True)
class Labels:
    """What may change of a model.

    :param deleted: Whether it is registered no longer; its number is never given again.
    """

    tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    deleted: bool = False


def _folder(name: str) -> str:
    return f"{layout.MODELS}/{layout.path_part(name)}"


def _versions_in(store: RecordStore, folder: str) -> Iterator[ModelRecord]:
    for version in reversed(numbered_versions(store, folder)):
        record = _read(store, f"{folder}/{version}")
        if record is not None:
            yield record


def _at(store: RecordStore, place: str) -> ModelRecord | None:
    return read_record(store, f"{place}.json", VERSION, _from_json)


def _changed_labels(store: RecordStore, place: str) -> Labels | None:
    path = newest_path(store, f"{place}/labels")
    value = load_json(store, path, VERSION) if path else None
    if value is None:
        return None
    return Labels(value["tags"], value["properties"], value["description"], bool(value["deleted"]))


def _labels(store: RecordStore, place: str) -> Labels:
    changed, record = _changed_labels(store, place), _at(store, place)
    if changed is not None or record is None:
        return changed or Labels()
    return Labels(record.tags, record.properties, record.description)


def _read(store: RecordStore, place: str) -> ModelRecord | None:
    record = _at(store, place)
    labels = None if record is None else _changed_labels(store, place)
    if record is None or labels is None:
        return record
    if labels.deleted:
        return None
    return replace(record, tags=labels.tags, properties=labels.properties, description=labels.description)


def _from_json(value: dict[str, Any]) -> ModelRecord:
    known = known_fields(ModelRecord, value)
    known["datasets"] = tuple((str(pair[0]), str(pair[1])) for pair in known.get("datasets") or ())
    return ModelRecord(**known)
