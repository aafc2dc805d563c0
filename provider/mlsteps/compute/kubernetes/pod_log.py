"""PodLog: what a pod prints, line by line and each line once, however often the connection breaks."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime, timezone

from mlsteps.compute.job import JobWatcher
from mlsteps.compute.kubernetes.cluster import Cluster
from mlsteps.compute.kubernetes.pod_spec import CONTAINER
from mlsteps.compute.lines import LineReader

_PAUSE = 1.0
_OVERLAP = 60  # seconds that are asked for again: clocks differ


class PodLog:
    """Follows a pod's log in a thread of its own. A cluster mixes the two streams of a script into one.

    :param name: The pod's.
    """

    def __init__(self, cluster: Cluster, name: str, watcher: JobWatcher) -> None:
        self._cluster, self._name = cluster, name
        self._reader = LineReader(lambda line: watcher.on_line("stdout", line))
        self._last = ""
        self._lines = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="pod-log", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, seconds: float) -> int:
        """Wait for the rest of it, for so long; returns how many lines there were."""
        self._ended.set()
        self._thread.join(seconds)
        self._reader.close()
        return self._lines

    def _follow(self) -> None:
        while True:
            whole = self._ended.is_set()  # then this time all of it is read
            with contextlib.suppress(Exception):  # the best that can be done: the record has the whole log
                self._read()
            if whole:
                return
            self._ended.wait(_PAUSE)

    def _read(self) -> None:
        rest = b""
        since = _seconds_since(self._last) + _OVERLAP if self._last else None
        for piece in self._cluster.log(self._name, CONTAINER, since):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line)
        if rest and self._ended.is_set():  # a last line without an end
            self._take(rest)

    def _take(self, line: bytes) -> None:
        stamp, _, text = line.partition(b" ")
        when = _sortable(stamp.decode("ascii", "replace"))
        if when <= self._last or not when[:4].isdigit():
            return  # told before the connection broke; or no line of the script, but the cluster's own
        self._last = when
        self._lines += 1
        self._reader.feed(text + b"\n")


def _seconds_since(stamp: str) -> int:
    when = datetime.fromisoformat(stamp[:19]).replace(tzinfo=timezone.utc)
    return max(0, int((datetime.now(timezone.utc) - when).total_seconds()))


def _sortable(stamp: str) -> str:
    """``2026-01-02T03:04:05.12Z`` with all nine digits behind the point, of which zeros are left out."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"
