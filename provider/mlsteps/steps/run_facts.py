"""What templates may say of a run: its dates, its id, and the values of its parameters.

A parameter whose default is a template, such as ``{{ ds }}``, has another value in each run. Only the default
is filled in, which whoever declared it wrote, and never a value that somebody gives a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import PipelineParameterError
from mlsteps.steps.form import declared_values, is_template, template_of

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator, Context

    from mlsteps.steps.base import PipelineStep

# Of Airflow's context. Nothing that leads to connections, variables, or other runs' results.
_FACTS = (
    "data_interval_end",
    "data_interval_start",
    "ds",
    "ds_nodash",
    "logical_date",
    "macros",
    "run_id",
    "ts",
    "ts_nodash",
    "ts_nodash_with_tz",
)


def facts_of_run(context: Context | Mapping[str, Any]) -> dict[str, Any]:
    """The dates and the id of a run; ``run_after`` is there also where there is no logical date."""
    known: Mapping[str, Any] = context
    facts = {name: known[name] for name in _FACTS if name in known}
    if "dag_run" in known:
        facts["run_after"] = known["dag_run"].run_after
    return facts


def parameters_of_run(task: BaseOperator, context: Context | Mapping[str, Any]) -> dict[str, Any]:
    """The run's parameters by name, with what is the same for all of its tasks filled in.

    :raises PipelineParameterError: a template cannot be filled in, as those of dates in a run without one.
    """
    parameters = declared_values(task.get_dag(), context["params"])
    for name in open_parameters(task.get_dag(), parameters):
        parameters[name] = _filled(task, name, parameters[name], facts_of_run(context))
    return parameters


def template_context(
    step: PipelineStep, context: Context | Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What templates of a step may say.

    What was published may have been written by somebody else than who runs this Airflow, so that it gets the
    facts of the run only, and no connections, no variables and nothing else of Airflow's.
    """
    known = facts_of_run(context) if step.is_published else context
    return {**known, "params": parameters}


def open_parameters(dag: DAG | None, parameters: Mapping[str, Any]) -> list[str]:
    """The names of the parameters whose value is a template that is their default."""
    if dag is None:
        return []
    given = [name for name, value in parameters.items() if is_template(value) and name in dag.params]
    return [name for name in given if template_of(dag.params.get_param(name)) == parameters[name]]


def _filled(task: BaseOperator, name: str, text: str, facts: Mapping[str, Any]) -> str:
    import jinja2

    environment = task.get_template_env()
    environment.undefined = jinja2.StrictUndefined
    try:
        return str(environment.from_string(text).render(facts))
    except Exception as error:  # whatever a template raises
        raise PipelineParameterError(
            f"The pipeline parameter {name!r} is {text!r} where nobody gives it a value, and this run cannot "
            f"fill that in: {error}. Give it a value, or run it for a date. Known are {', '.join(facts)}."
        ) from error
