"""A step's inputs and outputs, in the one form the rest of the package works with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from mlsteps.data import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    DatasetConsumptionConfig,
    InputPortBinding,
    OutputFileDatasetConfig,
    OutputPortBinding,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    SqlDataReference,
)
from mlsteps.data.consumption import is_dataset
from mlsteps.data.names import environment_variable
from mlsteps.data.output_config import Registration
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.exceptions import StepDefinitionError

# Where Airflow keeps what a task returned: here, all outputs at once.
_TAKEN_BY_AIRFLOW = "return_value"

StepData = PipelineData | OutputFileDatasetConfig


@dataclass(frozen=True)
class InputPort:
    """One input of a step.

    :param name: Unique among the step's inputs.
    :param source: What is read. PipelineData and OutputFileDatasetConfig come from another step of the
        pipeline, the rest exists already; a PipelineParameter is a DataPath or dataset that the run decides,
        and a DatasetConsumptionConfig knows its dataset.
    :param mode: ``mount`` or ``download``; of datasets also ``direct``.
    :param token: The text in arguments that stands for its path.
    :param variable: The environment variable that holds its path.
    :param declared: What the user listed, to be recognised in arguments.
    """

    name: str
    source: StepData | DataReference | PortDataReference | PipelineParameter | DatasetConsumptionConfig
    mode: str
    path_on_compute: str | None
    token: str
    variable: str
    declared: object

    @property
    def step_data(self) -> StepData | None:
        """The data of the pipeline that it reads, if it does."""
        return self.source if isinstance(self.source, (PipelineData, OutputFileDatasetConfig)) else None


@dataclass(frozen=True)
class OutputPort:
    """One output of a step.

    :param name: Unique among the step's outputs; the XCom key of its reference.
    :param data: What the user declared.
    :param token, variable: As for :class:`InputPort`.
    :param registration: The dataset that it becomes, if it is registered.
    :param reader: How that is read as rows; None leaves it files.
    """

    name: str
    data: StepData
    token: str
    variable: str
    registration: Registration | None = None
    reader: Any = None


@dataclass(frozen=True)
class NamedOutput:
    """Data that a step makes under another port name than the data's own.

    :param name: The port's.
    """

    name: str
    data: PipelineData | PipelineOutputDataset | OutputPortBinding


def make_inputs(step: str, inputs: object) -> tuple[InputPort, ...]:
    """Ports from what was given as ``inputs``.

    :raises StepDefinitionError: something cannot be an input, or two have one name.
    """
    ports = tuple(_input(step, value) for value in _listed(step, "inputs", inputs))
    _refuse_repeated(step, "inputs", ports)
    return ports


def make_outputs(step: str, outputs: object) -> tuple[OutputPort, ...]:
    """Ports from what was given as ``outputs``.

    :raises StepDefinitionError: something cannot be an output, or two have one name.
    """
    ports = tuple(_output(step, value) for value in _listed(step, "outputs", outputs))
    if any(port.name == _TAKEN_BY_AIRFLOW for port in ports):
        raise StepDefinitionError(
            step, "outputs", f"the name {_TAKEN_BY_AIRFLOW!r} is Airflow's own", "Give it another name."
        )
    _refuse_repeated(step, "outputs", ports)
    return ports


def separate_names(
    step: str, inputs: Sequence[InputPort], outputs: Sequence[OutputPort]
) -> tuple[InputPort, ...]:
    """Inputs renamed to ``INPUT_<name>`` where an output has that name (SDK v1 rule for scripts)."""
    taken = {port.name for port in outputs}
    renamed = []
    for port in inputs:
        if port.name not in taken:
            renamed.append(port)
            continue
        if isinstance(port.declared, DatasetConsumptionConfig):
            raise StepDefinitionError(
                step, "inputs", f"an output is called {port.name!r} too", "Give as_input() another name."
            )
        name = f"INPUT_{port.name}"
        variable = f"AZUREML_DATAREFERENCE_{name}"
        renamed.append(replace(port, name=name, token=f"${variable}", variable=variable))
    _refuse_repeated(step, "inputs", renamed)
    return tuple(renamed)


def _input(step: str, value: object) -> InputPort:
    if isinstance(value, (OutputFileDatasetConfig, PipelineOutputDataset)):
        value = value.as_input()
    if isinstance(value, PipelineData):
        return _reference_input(value.name, value, "mount", None, value)
    if isinstance(value, DatasetConsumptionConfig):
        name = value.name
        source: Any = value.dataset if isinstance(value.dataset, OutputFileDatasetConfig) else value
        if isinstance(value.dataset, PipelineOutputDataset):
            source = value.dataset.data
        return InputPort(name, source, value.mode, value.path_on_compute, value.arg_val, name, value)
    if is_dataset(value):
        raise StepDefinitionError(
            step, "inputs", f"{value!r} has no name as an input", "Give it one: as_named_input('raw')."
        )
    if isinstance(value, SqlDataReference):
        raise StepDefinitionError(
            step,
            "inputs",
            f"{value.name!r} is rows of a database, which a script cannot mount or download",
            "Copy them to files with a DataTransferStep, or read them as Dataset.Tabular.from_sql_query.",
        )
    if isinstance(value, DataReference):
        if value.mode == "upload":
            raise StepDefinitionError(
                step, "inputs", f"{value.name!r} has the mode upload", "Use as_mount() or as_download()."
            )
        return _reference_input(value.name, value, value.mode, value.path_on_compute, value)
    if isinstance(value, PortDataReference):
        return _reference_input(value.name, value, "mount", None, value)
    if isinstance(value, InputPortBinding):
        source = value.bind_object
        port = _input(step, source)
        return _reference_input(value.name, port.source, value.bind_mode, value.path_on_compute, value)
    if is_parameter_tuple(value) and isinstance(value[0].default_value, DataPath):
        parameter, binding = value
        name = environment_variable(value[0].default_value.name or parameter.name)
        return _reference_input(name, parameter, binding.mode, binding.path_on_compute, value)
    raise StepDefinitionError(
        step,
        "inputs",
        f"{type(value).__name__} {value!r} cannot be an input",
        "Use PipelineData, OutputFileDatasetConfig, DataReference, or a binding of one.",
    )


def _reference_input(
    name: str, source: object, mode: str, path_on_compute: str | None, declared: object
) -> InputPort:
    variable = f"AZUREML_DATAREFERENCE_{name}"
    return InputPort(name, source, mode, path_on_compute, f"${variable}", variable, declared)  # type: ignore[arg-type]


def _output(step: str, value: object) -> OutputPort:
    if isinstance(value, NamedOutput):
        variable = f"AZUREML_DATAREFERENCE_{value.name}"
        made = _output(step, value.data)
        return replace(made, name=value.name, token=f"${variable}", variable=variable)
    if isinstance(value, OutputPortBinding):
        value = value.data
    as_dataset = getattr(value, "registration", None), getattr(value, "reader", None)
    if isinstance(value, PipelineOutputDataset):
        value = value.data
    if isinstance(value, PipelineData):
        variable = value.get_env_variable_name()
        return OutputPort(value.output_name, value, str(value), variable, *as_dataset)
    if isinstance(value, OutputFileDatasetConfig):
        return OutputPort(value.name, value, value.arg_val, value.name, *as_dataset)
    raise StepDefinitionError(
        step,
        "outputs",
        f"{type(value).__name__} {value!r} cannot be an output",
        "Use PipelineData or OutputFileDatasetConfig.",
    )


def is_parameter_tuple(value: object) -> TypeGuard[tuple[PipelineParameter, DataPathComputeBinding]]:
    """Whether ``value`` is ``(PipelineParameter, DataPathComputeBinding)``."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], PipelineParameter)
        and isinstance(value[1], DataPathComputeBinding)
    )


def _listed(step: str, argument: str, value: object) -> Iterable[object]:
    if value is None:
        return ()
    if isinstance(value, set):
        return sorted(value, key=str)  # a set's own order differs from process to process
    if isinstance(value, list) or (isinstance(value, tuple) and not is_parameter_tuple(value)):
        return tuple(value)
    raise StepDefinitionError(step, argument, f"expected a list, got {type(value).__name__} {value!r}")


def _refuse_repeated(step: str, argument: str, ports: Sequence[InputPort] | Sequence[OutputPort]) -> None:
    names = [port.name for port in ports]
    if len(set(names)) < len(names):
        repeated = sorted(name for name, times in Counter(names).items() if times > 1)
        raise StepDefinitionError(
            step,
            argument,
            f"the name {repeated[0]!r} is used twice; port names must be unique",
            "Rename one with as_input(name), or output_name=.",
        )
