"""Takes a job from its JSON file to its result: prepare, execute, keep, publish, record."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher import atomic
from mlsteps.launcher.execution import execute
from mlsteps.launcher.job_source import job_in
from mlsteps.launcher.lifeline import Lifelines
from mlsteps.launcher.result import EXIT_LAUNCHER, JobResult, signal_name
from mlsteps.launcher.stopping import NotFinished, StopRequest
from mlsteps.launcher.workplace import clear, keep_folders, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlsteps.launcher.job import Job
    from mlsteps.launcher.reporting import Reporter
    from mlsteps.launcher.result import Stopped

_STDIN, _STDERR = 0, 2
_LAST_WORDS_SECONDS = 20.0
_KEEP_PATIENCE = 0.5  # seconds for carrying folders away once the job has to end


def run_job(job: Job, stop: StopRequest, guard: int | None = None) -> JobResult:
    """Run ``job`` and return how it went; the result is not written yet.

    Takes over this process: its signal handlers, its children, its standard streams. Work may still be
    running in threads when it returns, so the process has to end with ``os._exit``.

    Args:
        job: What to run.
        stop: Gets the reasons to end early.
        guard: A pipe whose other end the guarding process holds, see `mlsteps.launcher.guard`.
    """
    stop.listen()
    reasons: dict[int, Stopped] = {}
    if guard is not None:
        reasons[guard] = "terminated"
    if job.lifeline:
        reasons[_STDIN] = "worker-gone"
    lifelines = Lifelines(reasons, stop)
    phases: dict[str, float] = {}
    result = JobResult()
    try:
        clear(job)
        if job.moves_data and job.time_limit_seconds is not None:
            stop.deadline = time.monotonic() + job.time_limit_seconds
        with _timed(phases, "stage", job.moves_data):
            _prepare(job, stop, lifelines)
        lifelines.check()
        if stop.reason is not None:
            return replace(result, stopped=stop.reason, phases=phases)
        reporter = _reporter(job)
        result = execute(job, stop, lifelines, reporter.start if reporter else None)
        result = _keep(job, result, stop)
        if reporter is not None:
            with _timed(phases, "report"):
                result = _report(job, result, stop, reporter)
        if result.exit_code == 0 and not result.timed_out and result.stopped is None:
            from mlsteps.launcher.publishing import publish  # not before: the script should start soon

            with _timed(phases, "publish", bool(job.outputs)):
                result = publish(job, result, stop, _say)
    except NotFinished:
        result = replace(result, stopped=stop.reason, timed_out=stop.reason is None)
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
    return replace(result, phases=phases)


def run_text(text: bytes, path: str | None, guard: int | None = None) -> int:
    """Run the job in ``text``, write its result last of all, and return the exit code.

    Args:
        text: What `mlsteps.launcher.job_source` found.
        path: The file where it was found, or None.
        guard: As for `run_job`.
    """
    try:
        job = _known(text)
    except MlstepsException as error:
        _say(f"{path}: {error.message}" if path else error.message)
        return EXIT_LAUNCHER
    stop = StopRequest()
    if job.delete_job_file and path is not None:
        try:
            os.unlink(path)
        except OSError as error:  # as where it is mounted from somewhere: the script could read it
            problem = f"Cannot delete the job file {path!r}: {error.strerror or error}"
            return _record(job, JobResult(error=problem), stop)
    result = run_job(job, stop, guard)
    stop.deadline = None  # the job has ended; what is left is to tell it
    return _record(job, result, stop)


def record_lost(text: bytes, number: int) -> int:
    """Write a result for a launcher that the signal ``number`` ended, unless it did; return the exit code.

    One that it wrote, and perhaps could not send any more, is sent.
    """
    name = signal_name(number)
    error = f"The launcher was ended by {name} beside the script"
    if name == "SIGKILL":
        error += ": somebody killed it, or the machine or container ran out of memory"
    with contextlib.suppress(MlstepsException, OSError):
        job = _known(text)
        stop = StopRequest()
        stop.deadline = time.monotonic() + _LAST_WORDS_SECONDS  # nothing else ends the guard
        if not os.path.exists(job.result_path):
            return _record(job, JobResult(error=error), stop)
        if job.report is not None:
            with open(job.result_path, encoding="utf-8") as file:
                written = JobResult.from_json(file.read())
            if _send_result(job, written, stop):
                return written.launcher_exit_code
    return EXIT_LAUNCHER


@contextlib.contextmanager
def _timed(phases: dict[str, float], name: str, counts: bool = True) -> Iterator[None]:
    begin = time.monotonic()
    try:
        yield
    finally:
        if counts:
            phases[name] = round(time.monotonic() - begin, 3)


def _known(text: bytes) -> Job:
    job = job_in(text)
    if job.inherit:
        job = replace(job, environment={**os.environ, **job.environment}, inherit=False)
    if job.moves_data or job.report is not None:
        from mlsteps.launcher.concealing import conceal_signatures

        conceal_signatures(job)
    return job


def _prepare(job: Job, stop: StopRequest, lifelines: Lifelines) -> None:
    if not job.moves_data:
        prepare(job)
        return
    from mlsteps.launcher.staging import stage

    cancelled = threading.Event()
    try:
        stop.finish(lambda: stage(job, cancelled, _say), patience=0.0, look=lifelines.check)
    except NotFinished:
        cancelled.set()
        raise


def _reporter(job: Job) -> Reporter | None:
    if job.report is None:
        return None
    from mlsteps.launcher.reporting import Reporter

    return Reporter(job)


def _report(job: Job, result: JobResult, stop: StopRequest, reporter: Reporter) -> JobResult:
    assert job.report is not None
    # Also of a job whose time is up people want to see the logs.
    deadline, stop.deadline = stop.deadline, None
    try:
        problems = stop.finish(reporter.finish, job.report.patience_seconds)
    except NotFinished:
        reporter.give_up()
        problems = ["There was no time to send all logs and kept files: the job had to end"]
    finally:
        stop.deadline = deadline
    return replace(result, warnings=(*result.warnings, *problems))


def _keep(job: Job, result: JobResult, stop: StopRequest) -> JobResult:
    try:
        problems = stop.finish(lambda: keep_folders(job), _KEEP_PATIENCE)
    except NotFinished:
        problems = ["There was no time to keep all folders: the job had to end"]
    return replace(result, warnings=(*result.warnings, *problems))


def _record(job: Job, result: JobResult, stop: StopRequest) -> int:
    if job.moves_data or job.report is not None:
        from mlsteps.launcher.concealing import without_signatures

        result = without_signatures(result)
    try:
        atomic.write_bytes(job.result_path, result.to_json().encode())
    except OSError as error:
        _say(f"Cannot write the result {job.result_path!r}: {error.strerror or error}")
        return result.launcher_exit_code or EXIT_LAUNCHER
    for text in (*result.warnings, result.error):
        if text is not None:
            _say(text)
    if job.report is not None and not _send_result(job, result, stop):
        return result.launcher_exit_code or EXIT_LAUNCHER
    return result.launcher_exit_code


def _send_result(job: Job, result: JobResult, stop: StopRequest) -> bool:
    from mlsteps.launcher.reporting import send_result

    assert job.report is not None
    try:
        stop.finish(lambda: send_result(job, result.to_json()), job.report.patience_seconds)
    except NotFinished:
        _say("There was no time to send the result: the job had to end")
        return False
    except MlstepsException as error:
        _say(f"The result cannot be sent: {error.message}")
        return False
    return True


def _say(text: str) -> None:
    """Write a line to standard error if that is possible at once: a stalled reader must not hold us up."""
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [_STDERR], [], 0)[1]:
            # A pipe that is ready takes this many bytes without blocking.
            from mlsteps.launcher.redaction import redacted

            text = redacted(text)
            os.write(_STDERR, f"mlsteps: {text}\n".encode("utf-8", "backslashreplace")[: select.PIPE_BUF])
