"""Resolve: a step's parameters get their values, its inputs the data they stand for.

A step's reuse key and its job are both made from this, when the step itself asks and in a plan.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.compute.tokens import substitute
from mlsteps.data import (
    DataReference,
    DatasetConsumptionConfig,
    Datastore,
    PipelineParameter,
    PortDataReference,
)
from mlsteps.exceptions import DataNotFoundException, StepDefinitionError
from mlsteps.steps.dataset_inputs import find_dataset, output_as_dataset
from mlsteps.steps.links import not_made
from mlsteps.steps.parameter_texts import filled_path
from mlsteps.steps.parameters import parameter_token, parameter_variable

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.ports import InputPort
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class ResolvedInput:
    """An input port and the data it stands for in this run.

    :param store, path: Where it lies.
    :param description: For the record: what it is, where it comes from and, where a step made it, its digest.
    :param dataset: For the script: id, name and version of a dataset, and whether it is tabular.
    """

    port: InputPort
    store: Store
    path: str
    description: Mapping[str, Any]
    dataset: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ResolvedStep:
    """A step with its values and data filled in.

    :param parameters: Values of the pipeline parameters it uses, by name.
    :param values: Text for each token that stands for a parameter.
    :param arguments: The script's arguments, parameters still as tokens, like data.
    """

    step: PipelineStep
    workspace: Workspace
    parameters: Mapping[str, Any]
    values: Mapping[str, str]
    arguments: tuple[str, ...]
    inputs: tuple[ResolvedInput, ...]


def resolve(
    step: PipelineStep,
    workspace: Workspace,
    run_parameters: Mapping[str, Any],
    upstream: Mapping[str, object] | None = None,
) -> ResolvedStep:
    """A step as it stands in one run.

    :param run_parameters: Of the whole run, by name.
    :param upstream: By port name, what was made by other steps; default: what Airflow has filled in.
    :raises DataNotFoundException: an input does not exist.
    :raises StepDefinitionError: a value cannot be used; the text names step and argument.
    """
    step.prepare(workspace)
    parameters = {p.name: run_parameters.get(p.name, p.form_default) for p in step.pipeline_parameters}
    values = {parameter_token(p): as_text(parameters[p.name]) for p in step.pipeline_parameters}
    for name, value in step.script_params.items():
        values[f"${parameter_variable(name)}"] = substitute(as_text(value), values)
    made = step.upstream_outputs if upstream is None else upstream
    return ResolvedStep(
        step=step,
        workspace=workspace,
        parameters=parameters,
        values=values,
        arguments=tuple(as_text(argument) for argument in step.arguments),
        inputs=tuple(_input(step, workspace, port, parameters, values, made) for port in step.input_ports),
    )


def as_text(value: object) -> str:
    """A value as a script gets it."""
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _input(
    step: PipelineStep,
    workspace: Workspace,
    port: InputPort,
    parameters: Mapping[str, Any],
    values: Mapping[str, str],
    made: Mapping[str, object],
) -> ResolvedInput:
    source: Any = port.source
    if port.step_data is not None:
        source = made.get(port.name)
        if source is None:
            raise not_made(step.name, port.name)
        if not isinstance(source, PortDataReference):
            raise DataNotFoundException(
                f"Step {step.name!r}, input {port.name!r}: the step that makes it left no data "
                f"in this run, but {source!r}."
            )
        if port.mode == "direct":
            return ResolvedInput(port, *output_as_dataset(workspace, port, source))
    elif isinstance(source, DatasetConsumptionConfig):
        return ResolvedInput(port, *find_dataset(step.name, workspace, port, source, parameters, values))
    elif isinstance(source, PipelineParameter):
        source = data_path(step.name, workspace, port.name, source, parameters[source.name])
    datastore: Datastore = source.datastore
    if isinstance(source, PortDataReference) and source.workspace == workspace.locator:
        datastore = Datastore(workspace, source.datastore_name)  # whose settings have been read already
    path = source.path_on_datastore
    if isinstance(port.source, DataReference):
        path = filled_path(step.name, "inputs", path, values)
    store = datastore.store
    # A folder that nobody put a file in is data too, where the store can tell.
    local = store.local_path(path)
    exists = local.exists() if local is not None else next(iter(store.list(path)), None) is not None
    if not exists:
        raise DataNotFoundException(
            f"Step {step.name!r}, input {port.name!r}: there is nothing at "
            f"{store.url(path)} (datastore {datastore.name!r})."
        )
    described: dict[str, Any] = {"datastore": datastore.name, "path": path, "mode": port.mode}
    if isinstance(source, PortDataReference):
        described |= {
            "digest": source.digest,
            "bytes": source.bytes,
            "files": source.number_of_files,
            "from": source.producer.text,
        }
    return ResolvedInput(port, store, path, described)


def data_path(
    step: str, workspace: Workspace, port: str, parameter: PipelineParameter, value: str
) -> DataReference:
    """The data that a DataPath parameter's value ``datastore/path`` points at."""
    name, slash, path = str(value).partition("/")
    if not slash:
        raise StepDefinitionError(
            step, parameter.name, f"{value!r} is no data path", "Write it as datastore/path."
        )
    return DataReference(Datastore(workspace, name or None), port, path)
