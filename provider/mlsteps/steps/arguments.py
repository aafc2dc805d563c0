"""A script's arguments: objects become tokens when a step is declared, tokens values when it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from airflow.sdk import XComArg

from mlsteps.data import (
    DataReference,
    DatasetConsumptionConfig,
    InputPortBinding,
    OutputFileDatasetConfig,
    OutputPortBinding,
    PipelineData,
    PipelineParameter,
    PortDataReference,
)
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.parameters import add_parameter, parameter_token, parameter_variable
from mlsteps.steps.ports import InputPort, OutputPort, is_parameter_tuple, make_inputs, make_outputs

_DATA = re.compile(r"\$AZUREML_DATAREFERENCE_\w+|Dataset(?:Consumption|Output)Config:\w+")
_PARAMETER = re.compile(r"\$AML_PARAMETER_\w+", re.ASCII)


@dataclass(frozen=True)
class Declaration:
    """What a step's inputs, outputs and arguments come to, taken together.

    :param arguments: Texts with tokens, and Airflow's XComArgs as they are.
    :param parameters: Every PipelineParameter that was named, by name.
    """

    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    arguments: tuple[str | XComArg, ...]
    parameters: tuple[PipelineParameter, ...]


def declare(
    step: str,
    arguments: object,
    declaration: Declaration,
    script_params: Mapping[str, object] | None = None,
) -> Declaration:
    """``declaration`` with ``arguments`` added. The caller's lists are not changed (SDK v1 did).

    Output configurations and dataset inputs may stand in the arguments alone; other data has to be listed.

    :param script_params: Values for environment variables; arguments may name them, too.
    :raises StepDefinitionError: an object is not among the step's inputs and outputs, or is none that can be
        an argument.
    """
    if arguments is None:
        arguments = ()
    if not isinstance(arguments, (list, tuple)):
        raise StepDefinitionError(
            step,
            "arguments",
            f"expected a list, got {type(arguments).__name__} {arguments!r}",
            "Put it in a list.",
        )
    texts = list(declaration.arguments)
    for value in arguments:
        if type(value) is str:
            texts.append(value)
        else:
            declaration, text = _add(step, value, declaration)
            texts.append(text)
    declaration = Declaration(declaration.inputs, declaration.outputs, tuple(texts), declaration.parameters)
    for value in arguments:
        if isinstance(value, str) and ("$A" in value or "Dataset" in value):
            _refuse_unknown_tokens(step, value, declaration, script_params or {})
    if script_params:
        _refuse_two_values(step, declaration, script_params)
    return declaration


def _add(step: str, value: object, known: Declaration) -> tuple[Declaration, str | XComArg]:
    """What stands for ``value``, and what is known with it besides the arguments themselves."""
    if is_filled_in_later(value):
        return known, value
    if isinstance(value, PipelineParameter):
        known = replace(known, parameters=add_parameter(step, value, known.parameters))
        return known, parameter_token(value)
    if isinstance(value, OutputFileDatasetConfig) and not _find_input(value, known):
        if _find_output(value, known) is None:
            known = replace(known, outputs=make_outputs(step, [*(p.data for p in known.outputs), value]))
        return known, value.arg_val
    if isinstance(value, PipelineOutputDataset):
        value = value.as_input() if _find_output(value.data, known) is None else value.data
    if isinstance(value, DatasetConsumptionConfig) and _find_input(value, known) is None:
        known = replace(known, inputs=make_inputs(step, [*(p.declared for p in known.inputs), value]))
        if isinstance(value.dataset, PipelineParameter):
            known = replace(known, parameters=add_parameter(step, value.dataset, known.parameters))
    if isinstance(value, OutputPortBinding):
        value = value.data
    if _is_data(value):
        port = _find_input(value, known) or _find_output(value, known)
        if port is None:
            raise StepDefinitionError(
                step,
                "arguments",
                f"{value!r} appears in arguments but is not in the inputs or outputs",
                "List it there too.",
            )
        return known, port.token
    if value is None or isinstance(value, (str, int, float)) or hasattr(value, "__fspath__"):
        return known, str(value)
    raise StepDefinitionError(
        step,
        "arguments",
        f"{type(value).__name__} {value!r} cannot be an argument",
        "Pass text, numbers or data.",
    )


def is_filled_in_later(value: object) -> TypeGuard[XComArg]:
    """Whether Airflow puts a value in its place when the task starts: another task's, or a mapped group's."""
    return isinstance(value, XComArg) or callable(getattr(value, "iter_references", None))


def _is_data(value: object) -> bool:
    kinds = (
        PipelineData,
        OutputFileDatasetConfig,
        DataReference,
        DatasetConsumptionConfig,
        InputPortBinding,
        PortDataReference,
    )
    return isinstance(value, kinds) or is_parameter_tuple(value)


def _find_input(value: object, known: Declaration) -> InputPort | None:
    for port in known.inputs:  # first the usual case, which is also the fast one
        if port.declared is value:
            return port
    for port in known.inputs:
        if port.declared == value or _same_binding(port.declared, value):
            return port
    for port in known.inputs:  # the data itself, where it was listed under another name or mode
        if port.source is value or (
            isinstance(value, OutputFileDatasetConfig)
            and isinstance(port.source, OutputFileDatasetConfig)
            and port.source.origin is value.origin
        ):
            return port
    return None


def _same_binding(declared: object, value: object) -> bool:
    """Whether two bindings or references mean one port, as when as_input("x") is written out twice."""
    if isinstance(declared, InputPortBinding) and isinstance(value, InputPortBinding):
        return declared.name == value.name and declared.bind_object is value.bind_object
    if isinstance(declared, DatasetConsumptionConfig) and isinstance(value, DatasetConsumptionConfig):
        return declared.name == value.name and _same_dataset(declared.dataset, value.dataset)
    if isinstance(declared, DataReference) and isinstance(value, DataReference):
        return (declared.name, declared.path_on_datastore) == (value.name, value.path_on_datastore)
    return False


def _same_dataset(one: object, other: object) -> bool:
    outputs = (OutputFileDatasetConfig, PipelineOutputDataset)
    if isinstance(one, outputs) and isinstance(other, outputs):
        return one.origin is other.origin
    return one is other or one == other


def _find_output(value: object, known: Declaration) -> OutputPort | None:
    if not isinstance(value, (PipelineData, OutputFileDatasetConfig)):
        return None
    return next((port for port in known.outputs if port.data.origin is value.origin), None)


def _refuse_unknown_tokens(
    step: str, text: str, known: Declaration, script_params: Mapping[str, object]
) -> None:
    parameters = [parameter_token(parameter) for parameter in known.parameters]
    parameters += [f"${parameter_variable(key)}" for key in script_params]
    ports: list[InputPort | OutputPort] = [*known.inputs, *known.outputs]
    for found in _DATA.findall(text):
        if not any(found.startswith(port.token) for port in ports):
            raise StepDefinitionError(
                step,
                "arguments",
                f"{text!r} holds data that is not in the inputs or outputs",
                "List it there too.",
            )
    for found in _PARAMETER.findall(text):
        if not any(found.startswith(token) for token in parameters):
            name = found.removeprefix("$AML_PARAMETER_")
            raise StepDefinitionError(
                step,
                "arguments",
                f"{text!r} holds a pipeline parameter that the step does not know otherwise",
                f"List it in params too: params={{{name!r}: parameter}}.",
            )


def _refuse_two_values(step: str, known: Declaration, script_params: Mapping[str, object]) -> None:
    for key, value in script_params.items():
        for parameter in known.parameters:
            same = isinstance(value, PipelineParameter) and value.name == parameter.name
            if not same and parameter_variable(key) == parameter_variable(parameter.name):
                raise StepDefinitionError(
                    step,
                    "params",
                    f"{key!r} is already in use: the pipeline parameter {parameter.name!r} has the same "
                    f"environment variable",
                    "Rename one.",
                )
