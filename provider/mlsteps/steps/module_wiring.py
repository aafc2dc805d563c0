"""What a ModuleStep's maps come to: data under the names of the module's ports."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mlsteps.data import (
    DataReference,
    DatasetConsumptionConfig,
    InputPortBinding,
    OutputFileDatasetConfig,
    OutputPortBinding,
    PipelineData,
)
from mlsteps.data.consumption import is_dataset
from mlsteps.data.names import check_dataset_port_name, check_port_name
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.data.port_defs import InputPortDef, OutputPortDef
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.ports import NamedOutput, is_parameter_tuple


def wired_inputs(step: str, inputs_map: object) -> dict[str, Any]:
    """The step's inputs, each under its port's name.

    :raises StepDefinitionError: it is no map, or holds what cannot be an input.
    """
    return {port: _input(port, value) for port, value in _mapped(step, "inputs_map", inputs_map).items()}


def wired_outputs(step: str, outputs_map: object) -> dict[str, Any]:
    """The step's outputs, each under its port's name.

    :raises StepDefinitionError: it is no map.
    """
    return {port: _output(port, value) for port, value in _mapped(step, "outputs_map", outputs_map).items()}


def wired_arguments(
    arguments: Any,
    inputs: tuple[Mapping[str, Any], Mapping[str, Any]],
    outputs: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Any:
    """Arguments with what is in the maps, or names a port, as the step knows it.

    :param inputs: The map that was given, and what it came to.
    :param outputs: The same of outputs.
    """
    if not isinstance(arguments, (list, tuple)):
        return arguments  # which is refused where all steps' arguments are read
    return [_argument(value, inputs, outputs) for value in arguments]


def check_listed(step: str, inputs: Sequence[Any], outputs: Sequence[Any], known: tuple[Any, Any]) -> None:
    """Refuse data that stands in the arguments only: no port of the module is its.

    :param inputs: The step's input ports.
    :param outputs: Its output ports.
    :param known: Names in the two maps.
    :raises StepDefinitionError: naming it.
    """
    for argument, ports, names in zip(("inputs_map", "outputs_map"), (inputs, outputs), known, strict=True):
        for port in ports:
            if port.name not in names:
                raise StepDefinitionError(
                    step,
                    "arguments",
                    f"{port.name!r} is not in {argument}",
                    f"Map a port of the module to it: {argument}={{port: data}}.",
                )


def _mapped(step: str, argument: str, given: object) -> Mapping[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping) and all(isinstance(port, str) for port in given):
        return given
    raise StepDefinitionError(
        step, argument, f"expected a dict, got {type(given).__name__} {given!r}", "Give data by port name."
    )


def _input(port: str, value: Any) -> Any:
    if isinstance(value, (OutputFileDatasetConfig, PipelineOutputDataset)):
        value = value.as_input()
    if isinstance(value, DatasetConsumptionConfig):
        return DatasetConsumptionConfig(port, value.dataset, value.mode, value.path_on_compute)
    if is_dataset(value):
        return value.as_named_input(port)
    if isinstance(value, InputPortBinding):
        twin = copy.copy(value)
        twin.name = check_port_name(port, "Port")
        return twin
    if isinstance(value, DataReference):
        return InputPortBinding(port, value, value.mode, value.path_on_compute, value.overwrite)
    if is_parameter_tuple(value):
        return InputPortBinding(port, value, value[1].mode, value[1].path_on_compute)
    return InputPortBinding(port, value)


def _output(port: str, value: Any) -> Any:
    if isinstance(value, OutputFileDatasetConfig):
        twin = copy.copy(value)
        twin.name = check_dataset_port_name(port, "Port")
        return twin
    if isinstance(value, (PipelineData, PipelineOutputDataset, OutputPortBinding)):
        return NamedOutput(check_port_name(port, "Port"), value)
    return value  # which is refused where all steps' outputs are read


def _argument(
    value: Any,
    inputs: tuple[Mapping[str, Any], Mapping[str, Any]],
    outputs: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Any:
    for kind, (given, wired) in ((InputPortDef, inputs), (OutputPortDef, outputs)):
        for port, data in given.items():
            if value is data or (isinstance(value, kind) and value.name == port):
                made = wired[port]
                return made.data if isinstance(made, NamedOutput) else made
    return value
