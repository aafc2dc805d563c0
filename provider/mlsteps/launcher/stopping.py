"""The wish that the job ends early: signals and lifelines make it, the main thread waits for it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlsteps.launcher.result import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that end a job. One that was ignored at the start, as nohup does, stays ignored."""

_LOOK_SECONDS = 0.2

_Result = TypeVar("_Result")


class NotFinished(Exception):
    """A piece of work was given up because the job has to end."""


class StopRequest:
    """Whether and why the job has to end; made and waited for in the main thread, requested from any.

    Attributes:
        reason: The first reason given, or None as long as the job may go on.
        deadline: When the job's time is up (``time.monotonic``), or None.
    """

    def __init__(self) -> None:
        self.reason: Stopped | None = None
        self.deadline: float | None = None
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def listen(self) -> None:
        """Take a signal of `SIGNALS` as a request, and let the end of a child process wake `wait`."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
                signal.signal(number, lambda *_: self.request("terminated"))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler it would not reach the wakeup pipe
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        # The guard blocks them until here; a script would inherit that and never see a SIGTERM.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @property
    def timed_out(self) -> bool:
        """Whether the job's time is up."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def request(self, reason: Stopped) -> None:
        """Ask the job to end; the first reason counts."""
        if self.reason is None:
            self.reason = reason
        self.wake()

    def wake(self) -> None:
        """Let `wait` return."""
        with contextlib.suppress(BlockingIOError):  # full: it will return anyway
            os.write(self._write, b"\0")

    def wait(self, seconds: float | None) -> None:
        """Return on a request, a signal, the end of a child, `wake` or ``seconds``; or for no cause."""
        select.select([self._read], [], [], seconds if seconds is None else max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def finish(
        self, task: Callable[[], _Result], patience: float, look: Callable[[], None] | None = None
    ) -> _Result:
        """Return what ``task`` returns, or raise what it raises; it runs in a thread of its own.

        Args:
            task: What to do. When it has ended, so has its thread.
            patience: Seconds that it may take after a request or the deadline (or after the start, if that
                was later).
            look: Called a few times a second, for who has no thread to look for reasons.

        Raises:
            NotFinished: It took longer. It is left running: the process must end.
        """
        results: list[_Result] = []
        errors: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                results.append(task())
            except BaseException as error:  # raised again below, in the main thread
                errors.append(error)
            done.set()
            self.wake()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        end: float | None = None
        while not done.is_set():
            if look is not None:
                look()
            if end is None and (self.reason is not None or self.timed_out):
                end = time.monotonic() + patience
            if end is not None and time.monotonic() >= end:
                raise NotFinished
            moments = [
                at - time.monotonic() for at in (end, None if end else self.deadline) if at is not None
            ]
            if look is not None:
                moments.append(_LOOK_SECONDS)
            self.wait(min(moments) if moments else None)
        thread.join()
        if errors:
            raise errors[0]
        return results[0]
