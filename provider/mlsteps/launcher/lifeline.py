"""Notices that the process which started the launcher is gone, even if it was killed and could not say so.

A lifeline is the reading end of a pipe whose writing end only that process holds; nobody ever needs to write.
When the process ends, however it ends, the kernel closes the pipe and the reading end sees end-of-file.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsteps.launcher.result import Stopped
    from mlsteps.launcher.stopping import StopRequest


class Lifelines:
    """Turns the end of any of some pipes into a stop request.

    Args:
        reasons: For each file descriptor the reason that its end stands for.
        stop: Where to request.
    """

    def __init__(self, reasons: dict[int, Stopped], stop: StopRequest) -> None:
        self._reasons = dict(reasons)
        self._stop = stop

    def check(self) -> None:
        """Look once, without waiting."""
        self._look(0)

    def watch(self) -> None:
        """Look from now on, in a thread that ends with the process."""
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        while self._reasons:
            self._look(None)

    def _look(self, milliseconds: int | None) -> None:
        poll = select.poll()
        for number in self._reasons:
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(milliseconds):
            if _has_ended(number):
                self._stop.request(self._reasons.pop(number))


def _has_ended(number: int) -> bool:
    try:
        return not os.read(number, 4096)  # what somebody writes means nothing here
    except BlockingIOError:
        return False
    except OSError:  # not open at all: nobody can be holding the other end
        return True
