"""Datasets by name, version and id, as the workspace's record store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mlsteps.data.datasets.definition import ConvertedSource, Definition
from mlsteps.data.datasets.sources import refuse_secrets
from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException
from mlsteps.records import datasets as records

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset
    from mlsteps.data.datasets.sources import DatasetWorkspace
    from mlsteps.data.datastore import DatastoreOwner
    from mlsteps.data.stores.base import Store
    from mlsteps.records.datasets import DatasetRecord

D = TypeVar("D", bound="AbstractDataset")


def dataset_of(
    definition: Definition, workspace: DatastoreOwner | None, record: DatasetRecord | None = None
) -> AbstractDataset:
    """The FileDataset or TabularDataset with this definition."""
    from mlsteps.data.datasets.file_dataset import FileDataset
    from mlsteps.data.datasets.tabular_dataset import TabularDataset

    kind = TabularDataset if definition.is_tabular else FileDataset
    return kind(definition, workspace, record)


def register(
    dataset: D,
    workspace: DatasetWorkspace,
    name: str,
    description: str | None,
    tags: Mapping[str, str] | None,
    create_new_version: bool,
) -> D:
    """See ``AbstractDataset.register``."""
    if not is_text(name):
        raise UserErrorException(f"register: a dataset's name is a text, got {name!r}.")
    _check(dataset, workspace, "register")
    record = records.register_dataset(
        workspace.record_store(),
        name,
        dataset.id,
        dataset.definition.to_json(),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
        description=description,
        tags=None if tags is None else as_tags(tags),
        new_version=create_new_version,
    )
    return type(dataset)(dataset.definition, workspace, record)


def keep(dataset: AbstractDataset, workspace: DatasetWorkspace) -> str:
    """Make a dataset readable by its id without a name, as a step does with what it reads; the id."""
    _check(dataset, workspace, "keep")
    records.keep_definition(workspace.record_store(), dataset.id, dataset.definition.to_json())
    return dataset.id


def by_name(workspace: DatasetWorkspace, name: str, version: int | str = "latest") -> AbstractDataset:
    """See ``AbstractDataset.get_by_name``."""
    if not is_text(name):
        raise UserErrorException(f"Dataset.get_by_name: a dataset's name is a text, got {name!r}.")
    store = workspace.record_store()
    record = records.read_dataset(store, name, _number(version))
    if record is not None:
        return _from_record(workspace, record)
    versions = records.dataset_versions(store, name)
    if versions:
        raise UserErrorException(
            f"Dataset.get_by_name: {name!r} has no version {version!r}; it has "
            f"{', '.join(map(str, versions))}, and 'latest'."
        )
    raise UserErrorException(f"Dataset.get_by_name: no dataset is called {name!r}; {_there(workspace)}.")


def by_id(workspace: DatasetWorkspace, id: str) -> AbstractDataset:
    """See ``AbstractDataset.get_by_id``."""
    store = workspace.record_store()
    kept = records.read_definition(store, id) if is_text(id) else None
    if kept is None:
        raise UserErrorException(
            f"Dataset.get_by_id: no dataset with the id {id!r} is registered or was used in a step; "
            f"{_there(workspace)}."
        )
    record = records.read_dataset(store, kept.name, kept.dataset_version) if kept.name else None
    if record is not None and record.id == id:
        return _from_record(workspace, record)
    return dataset_of(Definition.from_json(kept.definition), workspace)


def all_datasets(workspace: DatasetWorkspace) -> dict[str, AbstractDataset]:
    """See ``AbstractDataset.get_all``."""
    found = records.list_datasets(workspace.record_store())
    return {name: _from_record(workspace, record) for name, record in found.items()}


def unregister(workspace: DatastoreOwner | None, record: DatasetRecord) -> None:
    """Forget all versions of a name."""
    records.delete_dataset(_store(workspace), record.name)


def update(
    workspace: DatastoreOwner | None,
    record: DatasetRecord,
    description: str | None,
    tags: Mapping[str, str] | None,
) -> DatasetRecord:
    """Change what is said about a registered version, as it is in the registry now."""
    store = _store(workspace)
    current = records.read_dataset(store, record.name, record.dataset_version)
    if current is None:
        raise UserErrorException(
            f"The dataset {record.name!r}, version {record.dataset_version}, is no longer registered."
        )
    return records.update_dataset(store, current, description, tags)


def as_tags(tags: Any) -> dict[str, str]:
    """Tags as texts.

    :raises UserErrorException: they are no dict.
    """
    if not isinstance(tags, Mapping):
        raise UserErrorException(f"A dataset's tags are a dict of texts, got {tags!r}.")
    return {str(key): str(value) for key, value in tags.items()}


def _check(dataset: AbstractDataset, workspace: DatasetWorkspace, what: str) -> None:
    owner = dataset.workspace
    # Two locators may lead to one registry.
    if owner is not None and owner != workspace and _store(owner).url("") != workspace.record_store().url(""):
        raise UserErrorException(
            f"{what}: the dataset names datastores of workspace {owner.name!r}, so it cannot be registered "
            f"in {workspace.name!r}. Make it from that workspace's datastores."
        )
    definition = dataset.definition
    while isinstance(definition.sources[0], ConvertedSource):
        definition = definition.sources[0].dataset
    refuse_secrets(definition.sources, what)


def _from_record(workspace: DatasetWorkspace, record: DatasetRecord) -> AbstractDataset:
    return dataset_of(Definition.from_json(record.definition), workspace, record)


def _store(workspace: DatastoreOwner | None) -> Store:
    return cast("DatasetWorkspace", workspace).record_store()


def _number(version: object) -> int | None:
    if version is None or version == "latest":
        return None
    if isinstance(version, str) and version.isascii() and version.isdigit():
        return int(version)
    if isinstance(version, int) and not isinstance(version, bool):
        return version
    raise UserErrorException(f"Dataset.get_by_name: version is a number or 'latest', got {version!r}.")


def _there(workspace: DatasetWorkspace) -> str:
    names = ", ".join(records.list_datasets(workspace.record_store()))
    return f"workspace {workspace.name!r} has {names or 'none'}"
