"""PodLog: what a pod prints, line by line and each line once, however often the connection breaks."""

from __future__ import annotations

import contextlib
import threading

from mlsteps.compute.job import JobWatcher
from mlsteps.compute.kubernetes.cluster import Cluster
from mlsteps.compute.kubernetes.log_position import LogPosition
from mlsteps.compute.kubernetes.pod_spec import CONTAINER
from mlsteps.compute.lines import LineReader

_PAUSE = 1.0


class PodLog:
    """Follows a pod's log in a thread of its own. A cluster mixes the two streams of a script into one.

    :param name: The pod's.
    :param position: How far it was told before, by a triggerer.
    """

    def __init__(self, cluster: Cluster, name: str, watcher: JobWatcher, position: LogPosition) -> None:
        self._cluster, self._name, self._position = cluster, name, position
        self._reader = LineReader(lambda line: watcher.on_line("stdout", line))
        self._seen = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="pod-log", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait for the rest of it, for so long; returns whether the cluster has a log of this pod."""
        self._ended.set()
        self._thread.join(seconds)
        self._reader.close()
        return self._seen

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
        for piece in self._cluster.log(self._name, CONTAINER, self._position.since):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line)
        if rest and self._ended.is_set():  # a last line without an end
            self._take(rest)

    def _take(self, line: bytes) -> None:
        self._seen = self._seen or line[:4].isdigit()
        text = self._position.take(line)
        if text is not None:
            self._reader.feed(text + b"\n")
