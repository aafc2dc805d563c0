"""A script's arguments: objects become tokens when the step is declared, tokens become values when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
from mlsteps.data.names import environment_variable
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.ports import InputPort, OutputPort, is_parameter_tuple, make_inputs, make_outputs

_TOKEN = re.compile(r"\$AZUREML_DATAREFERENCE_\w+|Dataset(?:Consumption|Output)Config:\w+")


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
) -> Declaration:
    """``declaration`` with ``arguments`` added. The caller's lists are not changed (SDK v1 did).

    Output configurations and dataset inputs may stand in the arguments alone; other data has to be listed.

    :raises StepDefinitionError: an object is not among the step's inputs and outputs, or is none that can be
        an argument.
    """
    if arguments is None:
        arguments = ()
    if isinstance(arguments, str) or not isinstance(arguments, Iterable):
        raise StepDefinitionError(
            step, "arguments", f"expected a list, got {type(arguments).__name__} {arguments!r}", "Put it in a list."
        )
    for value in arguments:
        declaration = _add(step, value, declaration)
    for text in declaration.arguments:
        _refuse_unknown_token(step, text, declaration)
    return declaration


def add_parameter(step: str, parameter: PipelineParameter, known: Sequence[PipelineParameter]) -> tuple[PipelineParameter, ...]:
    """``known`` and ``parameter``; one name has one default.

    :raises StepDefinitionError: the name is known with another default.
    """
    for other in known:
        if other.name == parameter.name:
            if not other.same_default(parameter):
                raise StepDefinitionError(
                    step,
                    "arguments",
                    f"the pipeline parameter {parameter.name!r} has two defaults, "
                    f"{other.default_value!r} and {parameter.default_value!r}",
                    "Use one PipelineParameter object for both.",
                )
            return tuple(known)
    return (*known, parameter)


def _add(step: str, value: object, known: Declaration) -> Declaration:
    if isinstance(value, XComArg):
        return replace(known, arguments=(*known.arguments, value))
    if isinstance(value, PipelineParameter):
        known = replace(known, parameters=add_parameter(step, value, known.parameters))
        return _text(known, parameter_token(value))
    if isinstance(value, OutputFileDatasetConfig) and not _find_input(value, known):
        if _find_output(value, known) is None:
            known = replace(known, outputs=make_outputs(step, [*(p.data for p in known.outputs), value]))
        return _text(known, value.arg_val)
    if isinstance(value, DatasetConsumptionConfig) and _find_input(value, known) is None:
        known = replace(known, inputs=make_inputs(step, [*(p.declared for p in known.inputs), value]))
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
        return _text(known, port.token)
    if value is None or isinstance(value, (str, int, float)) or hasattr(value, "__fspath__"):
        return _text(known, str(value))
    raise StepDefinitionError(
        step, "arguments", f"{type(value).__name__} {value!r} cannot be an argument", "Pass text, numbers or data."
    )


def parameter_token(parameter: PipelineParameter) -> str:
    """The text that stands for a parameter's value."""
    return str(parameter)


def parameter_variable(name: str) -> str:
    """The environment variable that holds a parameter's value."""
    return f"AML_PARAMETER_{environment_variable(name)}"


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
    for port in known.inputs:
        if port.declared is value or port.declared == value:
            return port
    for port in known.inputs:  # the data itself, where it was listed under another name or mode
        if port.source is value or (
            isinstance(value, OutputFileDatasetConfig)
            and isinstance(port.source, OutputFileDatasetConfig)
            and port.source.origin is value.origin
        ):
            return port
    return None


def _find_output(value: object, known: Declaration) -> OutputPort | None:
    if not isinstance(value, (PipelineData, OutputFileDatasetConfig)):
        return None
    return next((port for port in known.outputs if port.data.origin is value.origin), None)


def _text(known: Declaration, text: str) -> Declaration:
    return replace(known, arguments=(*known.arguments, text))


def _refuse_unknown_token(step: str, text: str | XComArg, known: Declaration) -> None:
    if not isinstance(text, str):
        return
    tokens = [port.token for port in (*known.inputs, *known.outputs)]
    for found in _TOKEN.findall(text):
        if not any(found.startswith(token) for token in tokens):
            raise StepDefinitionError(
                step,
                "arguments",
                f"{text!r} holds data that is not in the inputs or outputs",
                "List it there too.",
            )
