"""EventTail: what a script logs, told while it runs, without ever waiting for the store."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.compute.job import JobWatcher
    from mlsteps.compute.staged.report import Report

_SECONDS = 3.0


class EventTail:
    """Tells a watcher what was added to a job's journal, every few seconds.

    Asking the store is a thread's: one that does not answer must not hold up a job that has to stop.
    """

    def __init__(self, report: Report, watcher: JobWatcher) -> None:
        self._report, self._watcher = report, watcher
        self._found: queue.SimpleQueue[Sequence[Mapping[str, Any]]] = queue.SimpleQueue()
        self._next = time.monotonic() + _SECONDS
        self._asking: threading.Thread | None = None

    def poll(self) -> None:
        """Tell what has come, and ask for more when it is time."""
        with contextlib.suppress(queue.Empty):
            while events := self._found.get_nowait():
                self._watcher.on_events(events)
        if time.monotonic() < self._next or (self._asking is not None and self._asking.is_alive()):
            return
        self._next = time.monotonic() + _SECONDS
        self._asking = threading.Thread(target=self._ask, name="events", daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        with contextlib.suppress(Exception):  # the end tells all of it
            if events := self._report.new_events():
                self._found.put(events)
