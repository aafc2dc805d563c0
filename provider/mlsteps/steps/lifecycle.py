"""The way of a step, from declaration to record, in one place; each verb is one call into one module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.compat import AirflowSkipException, DownstreamTasksSkipped, TaskDeferralTimeout
from mlsteps.compute import JobSuspended
from mlsteps.steps.attempt import Attempt
from mlsteps.steps.binding import bind
from mlsteps.steps.cutoff import reused_behind
from mlsteps.steps.deadline import Deadline
from mlsteps.steps.deferring import claim_taken_up, defer, left_behind
from mlsteps.steps.ending import raise_if_canceled, raise_if_failed, raise_if_skipped_before
from mlsteps.steps.flight import Flight
from mlsteps.steps.journal import StepJournal
from mlsteps.steps.keys import KeyMaker
from mlsteps.steps.lineage import announce, withhold
from mlsteps.steps.openlineage import Progress
from mlsteps.steps.publishing import publish
from mlsteps.steps.registering import register_outputs
from mlsteps.steps.resolving import resolve
from mlsteps.steps.reuse_link import REUSE_KEY, ReusedFromLink
from mlsteps.steps.reused_ahead import hand_on_reused
from mlsteps.steps.reusing import recorded_outputs, references_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.data import PortDataReference
    from mlsteps.steps.base import PipelineStep


def run_step(
    step: PipelineStep, context: Context, suspended: Mapping[str, Any] | None = None
) -> dict[str, PortDataReference]:
    """Run one try of a step and return the references to its outputs.

    :param suspended: What the first part of this try left, when its job went on without a worker.

    :raises ScriptFailedException: the script failed; the text holds its last lines.
    :raises AirflowSkipException: an earlier result stands for it; or the run was canceled before this step
        started, or by its script; or a task before it was skipped.
    :raises DownstreamTasksSkipped: it ran, and earlier results stand for steps behind it.
    :raises TaskDeferred: its job goes on without a worker.
    """
    attempt = Attempt.of(step, context)
    deadline = Deadline.of(step.execution_timeout, suspended)
    if suspended is not None:
        # The same try, whatever number a test run's Airflow gives its second part.
        attempt = replace(attempt, try_number=suspended["try_number"])
    with (
        claim_taken_up(attempt, suspended) as claim,
        StepJournal(attempt, context["dag"], resumed=suspended is not None).kept() as journal,
    ):
        raise_if_canceled(attempt)
        raise_if_skipped_before(step, context)
        if suspended is not None:
            step.go_on_as(journal.record.source)
        resolved = resolve(step, attempt.workspace, attempt.parameters)
        compute_target = step.resolve_compute_target(attempt.workspace, resolved.values)
        keyed = KeyMaker().key_of(resolved)
        journal.resolved(keyed)
        step.progress = Progress(keyed.resolved, journal)
        with Flight(attempt, keyed, suspended, claim).decided() as flight:
            journal.decided(flight.decision)
            if flight.entry is not None:
                references = references_of(flight.entry, attempt.workspace.locator)
                outputs = recorded_outputs(step, references, attempt.workspace)
                journal.reused(flight.decision, flight.entry, outputs)
            else:
                fingerprint = keyed.key.fingerprint
                bound = bind(attempt, keyed.resolved, fingerprint=fingerprint, resumed=suspended is not None)
                journal.bound(bound, compute_target)
                watcher = journal.watcher()
                step.watch_with(watcher)
                try:
                    with deadline.stopping(watcher, suspended) as stop:
                        outcome = stop.explained(compute_target.run(bound.job, watcher))
                except JobSuspended as waiting:
                    journal.suspended(waiting)
                    defer(attempt, waiting, flight.suspend(), deadline)
                finally:
                    step.watch_with(None)
                journal.ran(outcome)
                raise_if_failed(step.name, outcome)
                references = publish(attempt, bound, outcome)
                journal.published(references)
                register_outputs(attempt, references, resolved.values)
                flight.land(bound.snapshot, journal.record, outcome)
    _hand_on(attempt, context, references, flight)
    return references


def take_over(step: PipelineStep, context: Context, lost: Exception) -> dict[str, PortDataReference]:
    """Go on with a try whose trigger has failed, or was not heard of until the time of the task was over.

    :param lost: What Airflow says of that; raised if there is nothing to go on with.
    """
    suspended = left_behind(Attempt.of(step, context), overdue=isinstance(lost, TaskDeferralTimeout))
    if suspended is None:
        raise lost
    step.log.warning("The triggerer did not wait to the end (%s): this worker goes on.", lost)
    return run_step(step, context, suspended)


def _hand_on(
    attempt: Attempt, context: Context, references: Mapping[str, PortDataReference], flight: Flight
) -> None:
    """Give the steps behind their inputs, and Airflow the reason and the states.

    :raises AirflowSkipException: an earlier result stands for the step, and that is shown by its state.
    :raises DownstreamTasksSkipped: the same for steps behind it.
    """
    step, ti = attempt.step, context["ti"]
    for name, reference in references.items():
        ti.xcom_push(key=name, value=reference)
    ti.xcom_push(key=REUSE_KEY, value=flight.decision.in_words())
    if flight.entry is None:
        announce(attempt, context, references)
        _skip_unchanged(attempt, context, references)
        return
    withhold(step)
    step.reused_from_url = ReusedFromLink.url(flight.entry.origin)
    if step.skips_when_reused:
        ti.xcom_push(key="return_value", value=dict(references))
        raise AirflowSkipException(flight.decision.in_words())


def _skip_unchanged(attempt: Attempt, context: Context, references: Mapping[str, PortDataReference]) -> None:
    try:
        reused = reused_behind(attempt, context, references)
        hand_on_reused(attempt, context["dag"], reused, attempt.step.log)
    except Exception as error:  # it has done its own work, and they can decide for themselves
        attempt.step.log.warning("The steps behind decide for themselves when they start: %s", error)
        return
    if reused:
        for planned in reused:
            attempt.step.log.info("Behind this step, %s: %s", planned.name, planned.decision.in_words())
        if attempt.step.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=dict(references))
        raise DownstreamTasksSkipped(  # type: ignore[no-untyped-call]
            tasks=[planned.task_id for planned in reused]
        )
