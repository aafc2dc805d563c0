"""How a step ends other than well: the run was canceled, the script failed, or it said so itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlsteps.compat import AirflowSkipException
from mlsteps.exceptions import JobFailedException, ScriptFailedException
from mlsteps.records import cancel_reason, cancel_run
from mlsteps.run.lifecycle import declared_end
from mlsteps.run.protocol import RunStatus
from mlsteps.steps.upstream import skipped_before

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from mlsteps.compute import JobOutcome
    from mlsteps.data.stores import Store
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.base import PipelineStep

# Lines of a script's error output that its exception repeats; the log has all of them.
_LAST_LINES = 15


def record_stores(dag: DAG) -> Iterator[Store]:
    """Where the steps of a DAG keep their records; almost always one place."""
    from mlsteps.steps.base import PipelineStep

    workspaces = [task.effective_workspace() for task in dag.tasks if isinstance(task, PipelineStep)]
    for workspace in {workspace.locator: workspace for workspace in workspaces}.values():
        yield workspace.record_store()


def cancel_the_rest(dag: DAG, run_id: str, reason: str) -> None:
    """Cancel a run: steps that have not started will not."""
    for store in record_stores(dag):
        cancel_run(store, dag.dag_id, run_id, reason)


def raise_if_canceled(attempt: Attempt) -> None:
    """Do not start a step of a run that was canceled, by whoever and however.

    :raises AirflowSkipException: it was; the text says why.
    """
    reason = cancel_reason(attempt.records, attempt.dag_id, attempt.run_id)
    if reason is not None:
        raise AirflowSkipException(f"The run was canceled: {reason}")


class SkippedAfter(AirflowSkipException):
    """A step is skipped because a task before it was."""


def raise_if_skipped_before(step: PipelineStep, context: Context) -> None:
    """Do not start a step behind a task that was skipped, as with Airflow's rule ``all_success``.

    A step that was reused counts as one that ran. Whoever gives a step a trigger rule means that rule.

    :raises SkippedAfter: naming the task.
    """
    if step.trigger_rule_is_ours:
        before = skipped_before(step, context)
        if before is not None:
            raise SkippedAfter(f"Task {before!r} before it was skipped.")


def raise_if_failed(step: str, outcome: JobOutcome) -> None:
    """Turn an outcome that is no success into the error that Airflow shows.

    :raises ScriptFailedException: the script failed, by its exit code or by ``run.fail()``.
    :raises JobFailedException: something else went wrong with the job.
    :raises AirflowSkipException: the script called ``run.cancel()``.
    """
    end = declared_end(dict(event) for event in outcome.events)
    if outcome.error is None and end is not None and end.status == RunStatus.CANCELED:
        raise AirflowSkipException("The script canceled its run.")
    if outcome.error is not None:
        problem = outcome.error
    elif end is not None and end.status == RunStatus.FAILED:
        problem = f"The script called run.fail(): {end.details or 'no details given'}"
    else:
        return
    lines = outcome.stderr_tail[-_LAST_LINES:]
    tail = "\n".join(["", "Its last lines on stderr:", *(f"  {line}" for line in lines)]) if lines else ""
    by_script = outcome.by_script or outcome.error is None
    failed = ScriptFailedException if by_script else JobFailedException
    raise failed(f"Step {step!r}: {problem}{tail}", outcome.exit_code, outcome.signal)
