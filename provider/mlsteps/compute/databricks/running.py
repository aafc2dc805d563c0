"""A job's way through Databricks: submitted, left alone, found again, followed, its outputs listed."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.compute.databricks.api import Databricks
from mlsteps.compute.databricks.endings import has_ended, phase, task_run, took_too_long, why_failed
from mlsteps.compute.databricks.notes import StartNotes
from mlsteps.compute.databricks.outputs import manifests_of, missing
from mlsteps.compute.databricks.starting import StartedRun, Starter
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.compute.job import JobOutcome, JobSuspended, JobWatcher, StepJob
from mlsteps.compute.local_process import STOPPING, supervisor_is_gone
from mlsteps.compute.staged.event_tail import EventTail
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.databricks.databricks_compute import DatabricksCompute

_TAIL = 50


def run_there(
    target: DatabricksCompute,
    task: DatabricksTask,
    job: StepJob,
    watcher: JobWatcher,
    tell_page: Callable[[str], None],
) -> JobOutcome:
    """Run a task, or go on with the run that an earlier call for the same job has started.

    :param tell_page: Called with the address of the run's page.
    :raises JobSuspended: it was started, and the triggerer is to wait for it.
    :raises ComputeTargetException: it could not be started, or not be asked for any more.
    """
    databricks = Databricks(target)

    def tell(line: str) -> None:
        watcher.on_line("databricks", line)

    started = Starter(databricks, target, task, watcher, tell).start(job)
    if started is None:
        return _stopped(job)
    run_id, run = started.run_id, started.run
    tell_page(str(run.get("run_page_url") or ""))
    deferrable = target.deferrable if task.deferrable is None else task.deferrable
    # A triggerer that has waited and could not to the end would not another time.
    if not has_ended(run) and deferrable and not job.resumed and not watcher.stopped:
        tell(f"Run {run_id}: {run.get('run_page_url', 'its page is not known')}")
        page = str(run.get("run_page_url") or "")
        raise suspended(target, run_id, page, started.signatures.staged)
    with watcher.phase("run"):
        run = _follow(databricks, target, started, watcher)
    outcome = _outcome(databricks, replace(started, run=run), watcher)
    StartNotes(job).forget()
    started.clear(databricks)
    return outcome


def suspended(
    target: DatabricksCompute, run_id: int, page: str, staged: Mapping[str, str] | None = None
) -> JobSuspended:
    """What to raise, so that no worker waits for a run.

    :param staged: Secrets that are to be deleted when somebody ends the task meanwhile.

    The triggerer looks up the connection itself: no credential is kept with the trigger.
    """
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    wanted = {
        "run_id": run_id,
        "databricks_conn_id": target.databricks_conn_id,
        "polling_period_seconds": target.poll_seconds,
        "run_page_url": page,
        "caller": "mlsteps",
    }
    known = inspect.signature(DatabricksExecutionTrigger.__init__).parameters  # it grows over the versions
    trigger = DatabricksExecutionTrigger(**{key: value for key, value in wanted.items() if key in known})
    classpath, settings = trigger.serialize()
    return JobSuspended(classpath, settings, f"Databricks run {run_id} is on its way.", staged)


def _follow(
    databricks: Databricks, target: DatabricksCompute, started: StartedRun, watcher: JobWatcher
) -> dict[str, Any]:
    """Stay with a run to its end.

    :raises ComputeTargetException: nobody answers for this process any more: the next try stays with the run.
    """
    run_id, run = started.run_id, started.run
    events = EventTail(started.folder, watcher) if started.folder is not None else None
    wake = threading.Event()

    def cancel() -> None:
        with suppress(ComputeTargetException):
            databricks.cancel(run_id)
        wake.set()

    # May be called by a signal handler, in the middle of a request of this very thread.
    watcher.stop_with(lambda: threading.Thread(target=cancel, daemon=True).start())
    told, last_look = "", 0.0
    again = started.job.tried_again
    try:
        while not has_ended(run):
            if phase(run) != told:
                told = phase(run)
                watcher.on_line("databricks", f"Run {run_id}: {told}")
            if events is not None:
                events.poll()
            if supervisor_is_gone(watcher, "leaving the run to the next try" if again else STOPPING):
                if again:
                    raise ComputeTargetException(f"Run {run_id} is left to the next try.")
                watcher.stop()
            wake.wait(1.0 if watcher.stopped else min(target.poll_seconds, 1.0))
            wake.clear()
            if watcher.stopped or time.monotonic() - last_look >= target.poll_seconds:
                last_look = time.monotonic()
                run = databricks.run(run_id)
    finally:
        watcher.stop_with(None)
    return run


def _outcome(databricks: Databricks, started: StartedRun, watcher: JobWatcher) -> JobOutcome:
    """How it ended; what its code printed and the place it failed at go to the task's log."""
    job, run = started.job, started.run
    try:
        output = databricks.output(int(task_run(run)["run_id"]))
    except (ComputeTargetException, KeyError):  # a run that never started has none
        output = {}
    printed = str(output.get("logs") or "").splitlines()
    printed += str((output.get("notebook_output") or {}).get("result") or "").splitlines()
    trace = str(output.get("error_trace") or "").splitlines()
    for stream, lines in (("stdout", printed), ("stderr", trace)):
        for line in lines:
            watcher.on_line(stream, line)
    environment = {
        "databricks_run_id": run.get("run_id"),
        "run_page_url": run.get("run_page_url"),
        "started_by": job.id,
    }
    events = started.folder.fetched(printed, trace, watcher) if started.folder is not None else ()
    error = why_failed(run, output)
    # The place in the code is known of what the code raised, and not of a cluster that went away below it.
    by_script = error is not None and (bool(trace) or took_too_long(run))
    if error is not None and watcher.stopped:
        error = "The run was canceled because its task was stopped."
    manifests = manifests_of(job.outputs) if error is None else {}
    lacking = missing(job.outputs, manifests) if error is None else ()
    if lacking:
        places = ", ".join(f"{port.name!r} ({port.store.url(port.path)})" for port in lacking)
        error = f"The code made no {places}: it has to write to the URL that it is given under that name."
    return JobOutcome(
        exit_code=0 if error is None else None,
        signal=None,
        error=error,
        command=job.command,
        manifests=manifests if error is None else {},
        environment=environment,
        events=events,
        stdout_tail=tuple(printed[-_TAIL:]),
        stderr_tail=tuple(trace[-_TAIL:]),
        missing_outputs=tuple(port.name for port in lacking),
        by_script=by_script or bool(lacking),
        places={port.name: port.path for port in job.outputs},
    )


def _stopped(job: StepJob) -> JobOutcome:
    return JobOutcome(None, None, "The task was stopped before the run was started.", job.command)
