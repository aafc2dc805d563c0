"""Early cutoff: a step that ran skips the steps behind it for which nothing changed.

Each of them would find that out by itself, at the price of a task that starts for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlsteps.steps.base import PipelineStep, is_step
from mlsteps.steps.planning import PlannedStep, Planner, behind
from mlsteps.steps.rendering import render_with
from mlsteps.steps.upstream import recorded_output, states_of, was_reused

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.data import PortDataReference
    from mlsteps.steps.attempt import Attempt


def reused_behind(
    attempt: Attempt, context: Context, references: Mapping[str, PortDataReference]
) -> list[PlannedStep]:
    """The steps behind this one that need not start, as all before them is done and nothing changed.

    :param references: What this step made.
    """
    step, dag = attempt.step, context["dag"]
    following = behind(dag, step.task_id)
    if not any(is_step(dag.get_task(task_id)) for task_id in following):
        return []
    around = {task_id for name in following for task_id in dag.get_task(name).upstream_task_ids}
    states = states_of(context, sorted((around | following) - {step.task_id}))

    def is_done(task_id: str) -> bool:
        state = states.get(task_id)
        return state == "success" or (state == "skipped" and was_reused(step, context, task_id))

    def made(task_id: str, key: str) -> PortDataReference | None:
        if task_id == step.task_id:
            return references.get(key)
        return recorded_output(step, context, task_id, key) if task_id in passed else None

    def cleared(other: PipelineStep) -> bool:
        """Whether it was cleared together with this step, to have all run."""
        records = other.effective_workspace().record_store()
        return attempt.cleared and bool(attempt.tries_done(other.task_id, records))

    passed = {step.task_id, *(task_id for task_id in around - following if is_done(task_id))}
    planner = Planner(
        dag,
        attempt.parameters,
        attempt.regenerate,
        render_with(context, attempt.parameters),
        passed=passed,
        only={task_id for task_id in following if states.get(task_id) is None},
        cleared=cleared,
        made=made,
    )
    return [
        planned
        for planned in planner.plan()
        if planned.entry is not None and planned.step is not None and planned.step.skips_when_reused
    ]
