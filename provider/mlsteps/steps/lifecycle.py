"""The way of a step, from declaration to record, in one place; each verb is one call into one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.steps.attempt import Attempt
from mlsteps.steps.binding import bind
from mlsteps.steps.ending import raise_if_canceled, raise_if_failed
from mlsteps.steps.journal import StepJournal
from mlsteps.steps.publishing import publish

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.data import PortDataReference
    from mlsteps.steps.base import PipelineStep


def run_step(step: PipelineStep, context: Context) -> dict[str, PortDataReference]:
    """Run one try of a step and return the references to its outputs.

    :raises ScriptFailedException: the script failed; the text holds its last lines.
    :raises AirflowSkipException: the run was canceled before this step started, or by its script.
    """
    attempt = Attempt.of(step, context)
    with StepJournal(attempt, context["dag"]).kept() as journal:
        raise_if_canceled(attempt)
        compute_target = step.resolve_compute_target(attempt.workspace)
        bound = bind(attempt)
        journal.bound(bound, compute_target)
        watcher = journal.watcher()
        step.watch_with(watcher)
        outcome = compute_target.run(bound.job, watcher)
        step.watch_with(None)
        journal.ran(outcome)
        raise_if_failed(step.name, outcome)
        references = publish(attempt, bound, outcome)
        journal.published(references)
    for name, reference in references.items():
        context["ti"].xcom_push(key=name, value=reference)
    return references
