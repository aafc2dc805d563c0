"""A job in a container of an engine that sees nothing of this machine: its data goes by a storage account."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from uuid import uuid4

from mlsteps.compute.docker.container import JobContainer
from mlsteps.compute.docker.engine_job import EngineJob
from mlsteps.compute.docker.sweeping import AREA_LABEL, STEP_LABEL, sweep
from mlsteps.compute.in_time import within
from mlsteps.compute.job import JobOutcome, JobWatcher
from mlsteps.compute.placement import explain
from mlsteps.compute.staged import StagedJob, StagingArea
from mlsteps.compute.staged.area import LONGEST_SIGNATURE, home_of, step_label
from mlsteps.compute.staged.event_tail import EventTail
from mlsteps.compute.staged.layout import Layout
from mlsteps.exceptions import ComputeTargetException, MlstepsException
from mlsteps.launcher.result import JobResult

ROOT = "/mlsteps"
# What signatures are good for beyond the job's own time: for its last words, and clocks that differ.
_SLACK = 1800.0
# When a job was stopped: its container has had four seconds, and Airflow kills a task after five.
_LAST_SECONDS = 0.5


def run_staged(run: EngineJob) -> JobOutcome:
    """Run a job that fetches and sends its data itself.

    :raises ComputeTargetException: no store of the job is on an account that hands data over.
    """
    try:
        home = home_of(run.job, run.target.name)
    except ComputeTargetException as error:
        if run.target.shared_disk is not None:
            raise
        raise ComputeTargetException(
            f"{error} Or let the engine see the worker's folders at the same paths; where it does, and this "
            f"was not found out, set shared_disk: true."
        ) from None
    # Of this try alone, and of this attempt: what one of the same name left is nobody's result.
    area = StagingArea.of_job(home, f"{run.job.id}\0{uuid4().hex}")
    step = step_label(run.job, area) if run.job.step else None
    area.sweep(step)
    sweep(run.engine, area, step)
    most = run.target.max_hours * 3600
    job = replace(run.job, time_limit=min(run.job.time_limit or most, most))
    layout = Layout(job, ROOT, run.python, run.plan.environment_variables, (), run.image_variables)
    staged = StagedJob(job, layout, area, min((job.time_limit or most) + _SLACK, LONGEST_SIGNATURE))
    command = staged.command_with_files(run.image.python)
    # The container is there before anything is staged, and when nothing is any more: whoever finds it after
    # this process was killed knows of both.
    labels = {AREA_LABEL: area.name, **({STEP_LABEL: step} if step else {})}
    with run.container(command, ROOT, labels=labels) as container:
        try:
            result = _result(run, staged, container, step)
            return _outcome(run, staged, result)
        finally:
            if run.watcher.stopped:
                within(_LAST_SECONDS, area.delete, None)
            else:
                area.delete()


def _outcome(run: EngineJob, staged: StagedJob, result: JobResult) -> JobOutcome:
    watcher, described = run.watcher, {**run.described, "python": run.python}
    if not watcher.stopped:
        return staged.outcome(result, watcher, described)
    error, _ = explain(result, watcher)
    without = JobOutcome(None, None, error, staged.layout.command, environment=described)
    return within(_LAST_SECONDS, lambda: staged.outcome(result, watcher, described), without)


def _result(run: EngineJob, staged: StagedJob, container: JobContainer, step: str | None) -> JobResult:
    watcher, layout = run.watcher, staged.layout
    with watcher.phase("stage"):
        staged.area.make(step)
        text = staged.text(watcher)
        container.put([layout.root, layout.home], staged.files())
    if watcher.stopped:
        return JobResult(stopped="terminated")
    events = EventTail(staged.report, watcher)
    return container.stay(watcher, events.poll, lambda: _left(staged, container, watcher), text)


def _left(staged: StagedJob, container: JobContainer, watcher: JobWatcher) -> JobResult | None:
    """What the launcher told the store, or left in the container, as where it could not reach the store."""
    told = None
    if not watcher.stopped:  # then there is no time for a store that may not answer
        with contextlib.suppress(MlstepsException):
            told = staged.report.result()
    if told is not None:
        return told
    left = container.read(staged.layout.result)
    return JobResult.from_json(left.decode("utf-8", "replace")) if left is not None else None
