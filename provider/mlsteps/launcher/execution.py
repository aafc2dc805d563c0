"""Runs the script of a job from its start until its last descendant is gone, and tells how it went."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mlsteps.launcher.output_pump import OutputPump
from mlsteps.launcher.process import Script
from mlsteps.launcher.result import JobResult, signal_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlsteps.launcher.job import Job
    from mlsteps.launcher.lifeline import Lifelines
    from mlsteps.launcher.stopping import StopRequest

_STDOUT, _STDERR = 1, 2

# Seconds for what the script left running to end by itself, and for its last output to be passed on. Short
# when the job had to be stopped: together with the default grace they must stay below five seconds.
_SWEEP = 0.5
_DRAIN = 3.0
_SWEEP_HURRIED = 0.3
_DRAIN_HURRIED = 0.3


def execute(
    job: Job, stop: StopRequest, lifelines: Lifelines, started: Callable[[], None] | None = None
) -> JobResult:
    """Run the command of ``job`` to its end, whatever that is; ``started`` is called when it has begun.

    Raises:
        ScriptFailedException: It could not be started.
        OSError: A log file cannot be written.
    """
    logs = [_open_log(job, "stdout.log"), _open_log(job, "stderr.log")]
    script = Script.start(job)
    started_at, start = _now(), time.monotonic()
    pumps = [OutputPump(script.stdout, _STDOUT, logs[0]), OutputPump(script.stderr, _STDERR, logs[1])]
    for pump in pumps:
        pump.start()
    lifelines.watch()
    if started is not None:
        started()
    limit = job.time_limit_seconds
    if stop.deadline is not None:
        limit = max(0.0, stop.deadline - time.monotonic())
    timed_out = script.supervise(stop, limit, job.grace_seconds)
    ended_at, duration = _now(), time.monotonic() - start
    stopped = stop.reason
    hurried = timed_out or stopped is not None
    script.sweep(_SWEEP_HURRIED if hurried else _SWEEP)
    warnings = _drain(pumps, _DRAIN_HURRIED if hurried else _DRAIN)
    code = script.reap()
    return JobResult(
        exit_code=code if code is not None and code >= 0 else None,
        signal="SIGKILL" if code is None else signal_name(-code) if code < 0 else None,
        started_at=started_at,
        ended_at=ended_at,
        duration_seconds=duration,
        timed_out=timed_out,
        stopped=stopped,
        warnings=tuple(warnings),
        stdout_tail=pumps[0].tail.text(),
        stderr_tail=pumps[1].tail.text(),
    )


def _drain(pumps: list[OutputPump], seconds: float) -> list[str]:
    """Pass on what is still in the pipes; a process that escaped may hold them open, but not for ever."""
    deadline = time.monotonic() + seconds
    complete = [pump.drain(deadline - time.monotonic()) for pump in pumps]
    warnings = [pump.problem for pump in pumps if pump.problem is not None]
    if not all(complete):
        warnings.append(
            "The last output of the script may be missing: it was not taken, or something held it open"
        )
    return warnings


def _open_log(job: Job, name: str) -> int:
    return os.open(os.path.join(job.log_directory, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


def _now() -> str:
    # By hand, as importing datetime takes a noticeable part of the launcher's start.
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}+00:00"
