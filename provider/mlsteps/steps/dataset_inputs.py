"""Datasets as inputs of a step: which one it is in this run, and where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mlsteps.data import (
    DatasetConsumptionConfig,
    PipelineParameter,
    PortDataReference,
)
from mlsteps.exceptions import MlstepsException, StepDefinitionError
from mlsteps.steps.parameter_texts import filled

if TYPE_CHECKING:
    from mlsteps.data.datasets import AbstractDataset
    from mlsteps.data.stores import Store
    from mlsteps.steps.ports import InputPort
    from mlsteps.workspace import Workspace


class Found(NamedTuple):
    """The fields of a ``ResolvedInput`` besides its port."""

    store: Store
    path: str
    description: Mapping[str, Any]
    dataset: Mapping[str, Any]


def find_dataset(
    step: str,
    workspace: Workspace,
    port: InputPort,
    config: DatasetConsumptionConfig,
    parameters: Mapping[str, Any],
    values: Mapping[str, str],
) -> Found:
    """The dataset that an input names.

    :raises DataNotFoundException: a path of it is not there.
    :raises StepDefinitionError: no dataset is registered under the name that the run gives.
    """
    dataset = _of_parameter(step, workspace, config, parameters) or _named(config, values).find_dataset()
    return _found(workspace, port, dataset)


def _named(config: DatasetConsumptionConfig, values: Mapping[str, str]) -> DatasetConsumptionConfig:
    """The input, with a run's values in the dataset's name."""
    if not isinstance(config.dataset, tuple):
        return config
    workspace, name, *version = config.dataset
    return DatasetConsumptionConfig(
        config.name, (workspace, filled(str(name), values), *version), config.mode
    )


def output_as_dataset(workspace: Workspace, port: InputPort, reference: PortDataReference) -> Found:
    """The output of an earlier step, as the dataset that it was declared to be read as."""
    from mlsteps.data.datasets import dataset_of
    from mlsteps.data.datasets.reading import definition_at

    declared = port.declared.dataset if isinstance(port.declared, DatasetConsumptionConfig) else None
    reader = getattr(declared, "reader", None)
    definition = definition_at(reference.datastore_name, reference.path_on_datastore, reader)
    found = _found(workspace, port, dataset_of(definition, workspace))
    return found._replace(description={**found.description, "from": reference.producer.text})


def _of_parameter(
    step: str, workspace: Workspace, config: DatasetConsumptionConfig, parameters: Mapping[str, Any]
) -> AbstractDataset | None:
    """The registered dataset that whoever triggered the run chose; None if that is the default one."""
    if not isinstance(config.dataset, PipelineParameter):
        return None
    parameter = config.dataset
    chosen = str(parameters.get(parameter.name, parameter.form_default))
    if chosen == parameter.form_default:
        return None
    from mlsteps.data.datasets import Dataset

    name, _, version = chosen.partition(":")
    try:
        found: AbstractDataset = Dataset.get_by_name(workspace, name, version or "latest")
    except MlstepsException as error:
        raise StepDefinitionError(
            step, parameter.name, f"{chosen!r} is no dataset: {error}", "Write it as name or name:version."
        ) from error
    return found


def _found(workspace: Workspace, port: InputPort, dataset: AbstractDataset) -> Found:
    from mlsteps.data.datasets import is_single_file
    from mlsteps.data.datasets.as_store import ROWS, place_of, store_of

    facts = {
        "id": dataset.id,
        "name": dataset.name,
        "version": dataset.version,
        "tabular": dataset.definition.is_tabular,
    }
    described: dict[str, Any] = {"dataset": dataset.id, "mode": port.mode}
    if dataset.name:
        described |= {"name": dataset.name, "version": dataset.version}
    owner = dataset.workspace or workspace
    place = place_of(dataset.definition)
    if place is not None:  # files that can be used where they are
        store = owner.open_store(place.datastore or owner.default_datastore_name())
        return Found(store, place.path, described, facts)
    files = store_of(dataset, owner)
    if dataset.definition.is_tabular:
        return Found(files, ROWS, described, facts)
    single = next(iter(files.list())).path if is_single_file(dataset, owner) else ""
    return Found(files, single, described, facts)
