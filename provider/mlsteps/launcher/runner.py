"""Takes a job from its JSON file to its result: prepare, execute, keep, publish, record."""

from __future__ import annotations

import contextlib
import os
import select
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher import atomic
from mlsteps.launcher.execution import execute
from mlsteps.launcher.job import Job
from mlsteps.launcher.lifeline import Lifelines
from mlsteps.launcher.result import EXIT_LAUNCHER, JobResult, signal_name
from mlsteps.launcher.stopping import NotFinished, StopRequest
from mlsteps.launcher.workplace import keep_folders, prepare

if TYPE_CHECKING:
    from mlsteps.launcher.result import Stopped

_STDIN, _STDERR = 0, 2
_KEEP_PATIENCE = 0.5  # seconds for carrying folders away once the job has to end


def run_job(job: Job, guard: int | None = None) -> JobResult:
    """Run ``job`` and return how it went; the result is not written yet.

    Takes over this process: its signal handlers, its children, its standard streams. Work may still be
    running in threads when it returns, so the process has to end with ``os._exit``.

    Args:
        job: What to run.
        guard: A pipe whose other end the guarding process holds, see `mlsteps.launcher.guard`.
    """
    stop = StopRequest()
    stop.listen()
    reasons: dict[int, Stopped] = {}
    if guard is not None:
        reasons[guard] = "terminated"
    if job.lifeline:
        reasons[_STDIN] = "worker-gone"
    lifelines = Lifelines(reasons, stop)
    result = JobResult()
    try:
        prepare(job)
        lifelines.check()
        if stop.reason is not None:
            return replace(result, stopped=stop.reason)
        result = execute(job, stop, lifelines)
        result = _keep(job, result, stop)
        if result.exit_code == 0 and not result.timed_out and result.stopped is None:
            from mlsteps.launcher.publishing import publish  # not before: the script should start soon

            result = publish(job, result, stop)
    except MlstepsException as error:
        result = replace(result, error=error.message)
    except OSError as error:
        place = f" {error.filename!r}" if error.filename else ""
        result = replace(
            result, error=f"The launcher cannot use{place or ' a file'}: {error.strerror or error}"
        )
    except Exception as error:  # the result must be written whatever happens
        import traceback

        result = replace(result, error=f"The launcher failed: {error!r}\n{traceback.format_exc()}")
    return result


def run_file(path: str, guard: int | None = None) -> int:
    """Run the job in the JSON file ``path``, write its result last of all, and return the exit code."""
    try:
        job = _read(path)
    except MlstepsException as error:
        _say(error.message)
        return EXIT_LAUNCHER
    return _record(job, run_job(job, guard))


def record_lost(path: str, number: int) -> int:
    """Write a result for a launcher that the signal ``number`` ended, unless it did; return the exit code."""
    name = signal_name(number)
    error = f"The launcher was ended by {name} beside the script"
    if name == "SIGKILL":
        error += ": somebody killed it, or the machine or container ran out of memory"
    with contextlib.suppress(MlstepsException):
        job = _read(path)
        if not os.path.exists(job.result_path):
            return _record(job, JobResult(error=error))
    return EXIT_LAUNCHER


def _keep(job: Job, result: JobResult, stop: StopRequest) -> JobResult:
    try:
        problems = stop.finish(lambda: keep_folders(job), _KEEP_PATIENCE)
    except NotFinished:
        problems = ["There was no time to keep all folders: the job had to end"]
    return replace(result, warnings=(*result.warnings, *problems))


def _read(path: str) -> Job:
    try:
        with open(path, encoding="utf-8") as file:
            return Job.from_json(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise MlstepsException(f"Cannot read the job {path!r}: {error}") from error


def _record(job: Job, result: JobResult) -> int:
    try:
        atomic.write_bytes(job.result_path, result.to_json().encode())
    except OSError as error:
        _say(f"Cannot write the result {job.result_path!r}: {error.strerror or error}")
        return result.launcher_exit_code or EXIT_LAUNCHER
    for text in (*result.warnings, result.error):
        if text is not None:
            _say(text)
    return result.launcher_exit_code


def _say(text: str) -> None:
    """Write a line to standard error if that is possible at once: a stalled reader must not hold us up."""
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [_STDERR], [], 0)[1]:
            # A pipe that is ready takes this many bytes without blocking.
            os.write(_STDERR, f"mlsteps: {text}\n".encode("utf-8", "backslashreplace")[: select.PIPE_BUF])
