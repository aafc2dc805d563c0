"""The script's process and everything that it starts: ended together, with nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from mlsteps.exceptions import ScriptFailedException
from mlsteps.launcher import linux

if TYPE_CHECKING:
    from mlsteps.launcher.job import Job
    from mlsteps.launcher.stopping import StopRequest

_KILL_SECONDS = 1.0  # SIGKILL acts at once, unless a process is stuck in the kernel
_POLL_SECONDS = 0.01


class Script:
    """A running script in a session of its own; use `start`.

    It stays a zombie until `reap`, so that the number of its process group cannot pass to anybody else while
    signals are sent to it.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, job: Job) -> Script:
        """Start the command of ``job`` with pipes for its output and nothing to read.

        Must be called before this process has threads. Where Linux allows it, orphans of the script come back
        to this process, and the script dies with it.

        Raises:
            ScriptFailedException: It cannot be started; the text says why.
        """
        linux.become_subreaper()
        try:
            process = subprocess.Popen(
                list(job.command),
                cwd=job.working_directory,
                env=dict(job.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                preexec_fn=linux.dying_with_parent(),  # noqa: PLW1509 - safe: there are no threads yet
            )
        except OSError as error:
            raise ScriptFailedException(_why_not(job, error)) from error
        except (ValueError, subprocess.SubprocessError) as error:
            raise ScriptFailedException(f"The command cannot be started: {error}") from error
        return cls(process)

    @property
    def stdout(self) -> int:
        """File descriptor to read the script's standard output from."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def stderr(self) -> int:
        """File descriptor to read the script's standard error from."""
        assert self._process.stderr is not None
        return self._process.stderr.fileno()

    def supervise(self, stop: StopRequest, time_limit: float | None, grace: float) -> bool:
        """Wait until the script has ended, or end it: on request or after ``time_limit`` seconds.

        Then its group gets SIGTERM, and SIGKILL after ``grace`` seconds. Returns whether the time was up.
        """
        deadline = None if time_limit is None else time.monotonic() + time_limit
        while not self._has_ended():
            left = None if deadline is None else deadline - time.monotonic()
            timed_out = left is not None and left <= 0
            if timed_out or stop.reason is not None:
                self._signal_group(signal.SIGTERM)
                if not self._wait(stop, grace):
                    self._signal_group(signal.SIGKILL)
                    self._wait(stop, _KILL_SECONDS)
                return timed_out and stop.reason is None
            stop.wait(left)
            self._reap_adopted()
        return False

    def sweep(self, patience: float) -> None:
        """End what the script left running: SIGTERM, and after ``patience`` seconds SIGKILL.

        The patience is for helpers that clean up when the script is gone, such as the resource tracker of
        Python's multiprocessing, which removes shared memory.
        """
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, _KILL_SECONDS)):
            deadline = time.monotonic() + seconds
            told: set[int] = set()
            while left := self._leftovers():
                for pid in left:
                    if pid not in told or number == signal.SIGKILL:
                        _signal(pid, number)
                told.update(left)
                if time.monotonic() >= deadline:
                    break
                time.sleep(_POLL_SECONDS)

    def reap(self) -> int | None:
        """Return the script's exit code, or minus its signal; None if not even SIGKILL could end it."""
        return self._process.poll()

    def _has_ended(self) -> bool:
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def _wait(self, stop: StopRequest, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._has_ended():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            stop.wait(left)
            self._reap_adopted()
        return True

    def _reap_adopted(self) -> None:
        """Reap orphans that came back to this process, so that a script with many never runs out of pids."""
        if not hasattr(os, "waitid"):
            return
        with contextlib.suppress(ChildProcessError):
            while True:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
                if ended is None or ended.si_pid == self._process.pid:
                    return
                os.waitpid(ended.si_pid, 0)

    def _signal_group(self, number: int) -> None:
        _signal(-self._process.pid, number)

    def _leftovers(self) -> list[int]:
        """Return what to signal: pids, or minus the group's number where there is no way to list them."""
        pids = linux.alive_below(os.getpid(), group=self._process.pid)
        if pids is not None:
            return pids
        return [-self._process.pid] if _signal(-self._process.pid, 0) else []


def _signal(pid: int, number: int) -> bool:
    """Send a signal; return False if nobody is there to get it, or only another user's process."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _why_not(job: Job, error: OSError) -> str:
    """Say in words why the command did not start."""
    import shutil  # slow to import

    program = job.command[0]
    found = program if "/" in program else shutil.which(program, path=job.environment.get("PATH", os.defpath))
    where = os.path.join(job.working_directory, found) if found else None
    if isinstance(error, FileNotFoundError):
        if where is not None and os.path.exists(where):
            return f"The command {program!r} cannot be started: its interpreter (first line) does not exist"
        if "/" in program:
            return f"The command {program!r} does not exist (looked in {job.working_directory!r})"
        return f"The command {program!r} was not found in PATH={job.environment.get('PATH', os.defpath)!r}"
    if isinstance(error, PermissionError):
        return f"The command {program!r} is not executable: set its executable bit, or call its interpreter"
    return f"The command {program!r} cannot be started: {error.strerror or error}"
