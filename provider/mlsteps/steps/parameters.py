"""The pipeline parameters that a step names: one default for each name, and what stands for a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlsteps.data import PipelineParameter
from mlsteps.data.names import environment_variable
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.ports import is_parameter_tuple

# A run's parameter that says which steps have to run again, see ``mlsteps.steps.form``.
REGENERATE = "regenerate_outputs"

# Airflow's run configuration has tags and the like under the first name, beside the values of parameters.
_TAKEN = ("mlsteps", REGENERATE)

# Of SDK v1's run configuration only these may be pipeline parameters.
_RUNCONFIG_PARAMETERS = (
    "NodeCount",
    "MpiProcessCountPerNode",
    "TensorflowWorkerCount",
    "TensorflowParameterServerCount",
)


def named_parameters(
    step: str,
    inputs: Sequence[Any] | None,
    script_params: Mapping[str, Any] | None,
    runconfig_pipeline_params: Mapping[str, PipelineParameter] | None,
    others: Sequence[Any] = (),
) -> tuple[PipelineParameter, ...]:
    """The parameters that a step names outside of its arguments.

    :param others: Those that stand in texts.
    :raises StepDefinitionError: one has two defaults, or sets what no parameter can set.
    """
    found: tuple[PipelineParameter, ...] = ()
    for value in (*(script_params or {}).values(), *(inputs or ())):
        parameter = value[0] if is_parameter_tuple(value) else getattr(value, "dataset", value)
        if isinstance(parameter, PipelineParameter):
            found = add_parameter(step, parameter, found)
    for key, value in (runconfig_pipeline_params or {}).items():
        if key not in _RUNCONFIG_PARAMETERS:
            raise StepDefinitionError(
                step, "runconfig_pipeline_params", f"{key!r} is not one of {', '.join(_RUNCONFIG_PARAMETERS)}"
            )
        found = add_parameter(step, value, found)
    for other in others:
        if not isinstance(other, PipelineParameter):
            raise StepDefinitionError(
                step, "pipeline_parameters", f"expected PipelineParameters, got {other!r}"
            )
        found = add_parameter(step, other, found)
    return found


def add_parameter(
    step: str, parameter: PipelineParameter, known: Sequence[PipelineParameter]
) -> tuple[PipelineParameter, ...]:
    """``known`` and ``parameter``; one name has one default.

    :raises StepDefinitionError: the name is known with another default, or cannot be told from another one.
    """
    if parameter.name in _TAKEN:
        raise StepDefinitionError(
            step, "arguments", f"no pipeline parameter can be called {parameter.name!r}", "Rename it."
        )
    for other in known:
        if other.name != parameter.name and parameter_token(other) == parameter_token(parameter):
            raise StepDefinitionError(
                step,
                "arguments",
                f"the pipeline parameters {other.name!r} and {parameter.name!r} share the environment "
                f"variable {parameter_variable(parameter.name)}",
                "Rename one.",
            )
        if other.name == parameter.name:
            if not other.same_default(parameter):
                raise StepDefinitionError(
                    step,
                    "arguments",
                    f"the pipeline parameter {parameter.name!r} has two defaults, "
                    f"{other.default_value!r} and {parameter.default_value!r}",
                    "Use one PipelineParameter object for both.",
                )
            if other.limits != parameter.limits:
                raise StepDefinitionError(
                    step,
                    "arguments",
                    f"the pipeline parameter {parameter.name!r} has two sets of choices, minimum and maximum",
                    "Use one PipelineParameter object for both.",
                )
            if other.in_fingerprint != parameter.in_fingerprint:
                raise StepDefinitionError(
                    step,
                    "arguments",
                    f"the pipeline parameter {parameter.name!r} is declared with and without in_fingerprint",
                    "Use one PipelineParameter object for both.",
                )
            return tuple(known)
    return (*known, parameter)


def parameter_token(parameter: PipelineParameter) -> str:
    """The text that stands for a parameter's value."""
    return str(parameter)


def parameter_variable(name: str) -> str:
    """The environment variable that holds a parameter's value."""
    return f"AML_PARAMETER_{environment_variable(name)}"
