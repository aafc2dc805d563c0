"""Results of steps that are reused before they start: handed on in their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlsteps.compat import set_xcom
from mlsteps.records import StepRecord, layout
from mlsteps.records.step import REUSED
from mlsteps.steps.handed_on import HandedOn, handed_on
from mlsteps.steps.observers import tell_changed
from mlsteps.steps.reuse_link import REUSE_KEY, ReusedFromLink
from mlsteps.steps.reusing import recorded_outputs, reused_record
from mlsteps.tracking import forward_reused

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.planning import PlannedStep
    from mlsteps.workspace import Workspace

# A step that never started has no try of its own.
_BEFORE_ANY_TRY = 0


def hand_on_reused(attempt: Attempt, dag: DAG, reused: Sequence[PlannedStep], log: Any) -> None:
    """Push the outputs of reused steps as their own XComs, and write their records.

    :param attempt: Who does this: the sensor, or a step in front of them.
    :param log: Of that task.
    """
    if not reused:
        return
    _push(attempt, dag, reused, log)
    recorded: dict[Workspace, list[StepRecord]] = {}
    for planned in reused:
        assert planned.workspace is not None
        recorded.setdefault(planned.workspace, []).append(_record(attempt, planned))
    for workspace, records in recorded.items():
        forward_reused(workspace, records, log)


def _push(attempt: Attempt, dag: DAG, reused: Sequence[PlannedStep], log: Any) -> None:
    chosen = handed_on(dag, [_results(planned) for planned in reused])
    for value in chosen.pushed:
        set_xcom(value.key, value.value, dag_id=attempt.dag_id, task_id=value.task_id, run_id=attempt.run_id)
    if chosen.left_out:
        log.info(
            "So many steps are reused that XComs which no task of the DAG asks for are left out: %s. "
            "The records of the steps have it all.",
            ", ".join(chosen.left_out),
        )


def _results(planned: PlannedStep) -> HandedOn:
    assert planned.entry is not None
    return HandedOn(
        planned.task_id,
        dict(planned.references),
        {
            REUSE_KEY: planned.decision.in_words(),
            ReusedFromLink().xcom_key: ReusedFromLink.url(planned.entry.origin),
        },
    )


def _record(attempt: Attempt, planned: PlannedStep) -> StepRecord:
    assert planned.step is not None and planned.entry is not None and planned.workspace is not None
    record = reused_record(
        StepRecord(
            dag_id=attempt.dag_id,
            run_id=attempt.run_id,
            task_id=planned.task_id,
            map_index=-1,
            try_number=_BEFORE_ANY_TRY,
            name=planned.name,
            step_run_id=layout.step_run_id(
                attempt.dag_id, attempt.run_id, planned.task_id, -1, _BEFORE_ANY_TRY
            ),
            step_type=planned.step.step_type,
            state=REUSED,
        ),
        planned.decision,
        planned.entry,
        recorded_outputs(planned.step, planned.references, planned.workspace),
    )
    # A thousand of these at once: what they say follows from the results that are recorded for good.
    record.save(planned.workspace.record_store(), durable=False)
    tell_changed(record)
    return record
