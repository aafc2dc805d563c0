"""What the steps before a step made for it: from XCom, else from their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.compat import XComNotFound
from mlsteps.data import PortDataReference
from mlsteps.exceptions import DataNotFoundException
from mlsteps.records import layout, read_step
from mlsteps.records.step import RAN, REUSED
from mlsteps.steps.reuse_link import REUSE_KEY

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from mlsteps.steps.base import PipelineStep


def made_upstream(step: PipelineStep, context: Context) -> dict[str, Any]:
    """By port name: what each input's maker left in this run.

    A plan that reuses very many steps leaves out XComs that no other task asks for; records have them all.

    What a maker that was skipped did not make is None.

    :raises DataNotFoundException: a maker left nothing for another reason.
    """
    return {port: _made(step, context, port, given) for port, given in step.upstream_outputs.items()}


def _made(step: PipelineStep, context: Context, port: str, given: XComArg | PortDataReference) -> Any:
    if isinstance(given, PortDataReference):
        return given
    try:
        return given.resolve(context)
    except XComNotFound as error:
        ((maker, key),) = given.iter_references()
        recorded = recorded_output(step, context, maker.task_id, key)
        if recorded is not None:
            return recorded
        if states_of(context, [maker.task_id]).get(maker.task_id) == "skipped":
            return None  # the step will be, too
        raise DataNotFoundException(
            f"Step {step.name!r} has no data to start with, because a step before it left none "
            f"in this run (it failed, or is older than this run): {error}"
        ) from error


def recorded_output(step: PipelineStep, context: Context, task_id: str, key: str) -> PortDataReference | None:
    """What another step's record of this run says of one of its outputs; None if it has not made it."""
    ti = context["ti"]
    store = step.effective_workspace().record_store()
    record = read_step(store, layout.step_folder(ti.dag_id, ti.run_id, task_id))
    if record is None or record.state not in (RAN, REUSED) or key not in record.outputs:
        return None
    return PortDataReference.deserialize(record.outputs[key])


def skipped_before(step: PipelineStep, context: Context) -> str | None:
    """The id of a task directly before the step that was skipped, and not because its result was reused.

    Airflow's rule ``none_failed``, which steps have because reused ones are skipped, would let the step run.
    """
    before = [task for task in step.upstream_list if not task.is_mapped]
    states = states_of(context, [task.task_id for task in before]) if before else {}
    return next(
        (
            task.task_id
            for task in before
            if states.get(task.task_id) == "skipped" and not was_reused(step, context, task.task_id)
        ),
        None,
    )


def was_reused(step: PipelineStep, context: Context, task_id: str) -> bool:
    """Whether a task that was skipped was so because its earlier result stands for it."""
    ti = context["ti"]
    store = step.effective_workspace().record_store()
    record = read_step(store, layout.step_folder(ti.dag_id, ti.run_id, task_id))
    if record is not None:
        return record.state == REUSED
    return ti.xcom_pull(task_ids=task_id, key=REUSE_KEY) is not None  # a task that a sensor guards


def states_of(context: Context, task_ids: list[str]) -> dict[str, str | None]:
    """The states of tasks of this run; None or missing are those that have not begun."""
    ti = context["ti"]
    found: Mapping[str, Any] = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[ti.run_id])
    of_run: Mapping[str, Any] = found.get(ti.run_id) or {}
    return {
        task_id: str(getattr(state, "value", state)) if state is not None else None
        for task_id, state in of_run.items()
    }
