"""Two processes that watch each other, so that a kill of either leaves nothing running.

The process that was started becomes the guard: it forwards signals, waits, and passes the exit code on. The
launcher proper runs in a child with a session of its own.

- The guard is killed: the launcher notices the end of a pipe that only the guard holds, and stops the script.
- The launcher is killed: the script dies with it, all its descendants fall to the guard, which kills them and
  writes the result.
- A worker kills the process group that it started: that is the guard alone, see above.

The guard has to be small and sure: it imports next to nothing before it waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from mlsteps.launcher import linux

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_KILL_SECONDS = 2.0


def run_guarded(work: Callable[[int], int], on_loss: Callable[[int], int]) -> int:
    """Run ``work`` in a child process under the guard of this one, and return its exit code.

    Must be called before this process has threads.

    Args:
        work: Gets the file descriptor of a pipe that ends when the guard does; returns the exit code.
        on_loss: Called here with the signal that ended the child, when nothing of it runs any more; returns
            the exit code.
    """
    linux.become_subreaper()
    reading, writing = os.pipe()
    # A signal must neither be lost nor kill one of the two before its handlers are there.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    launcher = os.fork()
    if launcher == 0:
        _become_launcher(work, reading, writing)
    os.close(reading)
    _forward_signals(launcher)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    status = _wait_for(launcher)
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    _kill_orphans()
    return on_loss(os.WTERMSIG(status))


def _become_launcher(work: Callable[[int], int], reading: int, writing: int) -> None:
    """Run ``work`` and end the process: whatever happens, this must not return into the caller's code."""
    code = 70
    try:
        os.close(writing)
        os.setsid()
        code = work(reading)
    except BaseException:  # nothing else could report it
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _forward_signals(launcher: int) -> None:
    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(launcher, number)

    for number in _FORWARDED:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)


def _wait_for(launcher: int) -> int:
    """Return the wait status of ``launcher``, reaping orphans on the way as an init process does."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == launcher:
            return status


def _kill_orphans() -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        pids = linux.alive_below(os.getpid())
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
