"""Filling templates of a step in before the step has a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.steps.planning import NotYetKnown
from mlsteps.steps.run_facts import template_context

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.steps.base import PipelineStep

# What a context has that is different for each task.
_OF_THE_TASK = (
    "ti",
    "task_instance",
    "task",
    "task_instance_key_str",
    "expanded_ti_count",
    "map_index_template",
)


def render_with(
    context: Context | Mapping[str, Any], parameters: Mapping[str, Any]
) -> Callable[[PipelineStep, str], str]:
    """A function that fills in what is the same for all tasks of a run; the rest it says is not yet known.

    :param parameters: Of the run.
    """
    same = {name: value for name, value in context.items() if name not in _OF_THE_TASK}

    def render(step: PipelineStep, text: str) -> str:
        import jinja2

        known = template_context(step, same, parameters)
        environment = step.get_template_env()
        environment.undefined = jinja2.StrictUndefined
        try:
            return str(environment.from_string(text).render(known))
        except Exception as error:  # whatever a template raises: the step itself will tell it better
            raise NotYetKnown(f"its template {text!r} is filled in then ({error})") from error

    return render
