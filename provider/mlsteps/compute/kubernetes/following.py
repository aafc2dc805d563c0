"""Staying with a pod until its end: its log line by line, what its script logs, and a stop."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from mlsteps.compute.job import JobWatcher
from mlsteps.compute.kubernetes.cluster import Cluster
from mlsteps.compute.kubernetes.diagnosis import has_begun, has_ended, is_lost, why_it_does_not_start
from mlsteps.compute.kubernetes.log_position import LogPosition
from mlsteps.compute.kubernetes.pod_log import PodLog
from mlsteps.compute.local_process import supervisor_is_gone
from mlsteps.launcher.result import JobResult

if TYPE_CHECKING:
    from mlsteps.compute.staged.report import Report

# Often at first, so that a short job is not mostly a wait.
_FIRST_POLL_SECONDS, _POLL_SECONDS, _SLOWER = 0.2, 1.0, 0.05
_EVENT_SECONDS = 3.0
# The launcher is asked to end the script and has until then; Airflow kills a task five seconds after asking.
_PATIENCE = 4.0
_LOG_SECONDS = 60.0


class FollowedPod:
    """A pod that this process waits for.

    :param report: What its job reports.
    :param patience: Seconds that it may take to start.
    :param position: How far its log was told before, by a triggerer.
    """

    def __init__(
        self, cluster: Cluster, name: str, report: Report, patience: float, position: LogPosition
    ) -> None:
        self._cluster, self._name, self._report = cluster, name, report
        self._position, self._told_before = position, position.lines
        self._patience = patience
        self._asked: float | None = None
        self._wake = threading.Event()

    def follow(self, watcher: JobWatcher) -> tuple[Any | None, JobResult | None]:
        """Stay with it to the end; returns the pod, if it is still there, and why it never started, if so.

        :raises ComputeTargetException: the cluster cannot be asked any more.
        """
        log = PodLog(self._cluster, self._name, watcher, self._position)
        follows = False
        told, began = 0.0, time.monotonic()
        watcher.stop_with(self._ask)
        try:
            while True:
                pod = self._cluster.read(self._name)
                if pod is not None and is_lost(pod):
                    self._cluster.forget(self._name)
                    return None, None
                if pod is not None and not follows and has_begun(pod):
                    log.start()
                    follows = True
                if pod is None or has_ended(pod) or self._is_overdue:
                    break
                if not follows and not watcher.stopped:
                    warnings = self._cluster.warnings(self._name)
                    problem = why_it_does_not_start(pod, warnings, self._patience)
                    if problem is not None:
                        return pod, JobResult(error=problem)
                if time.monotonic() - told > _EVENT_SECONDS:
                    told = time.monotonic()
                    with contextlib.suppress(Exception):  # the end tells all of it
                        self._report.tell_events(watcher)
                if supervisor_is_gone(watcher):
                    watcher.stop()
                waited = time.monotonic() - began
                self._wake.wait(min(_POLL_SECONDS, _FIRST_POLL_SECONDS + waited * _SLOWER))
                self._wake.clear()
        finally:
            watcher.stop_with(None)
        there = log.finish(0.3 if watcher.stopped else _LOG_SECONDS) if follows else False
        if not there and not watcher.stopped:
            self._tell_what_was_kept(watcher)
        return pod, None

    @property
    def _is_overdue(self) -> bool:
        return self._asked is not None and time.monotonic() - self._asked > _PATIENCE

    def _ask(self) -> None:
        """End it. May be called by a signal handler, in the middle of a request of this very thread."""
        if self._asked is None:
            self._asked = time.monotonic()
            threading.Thread(target=self._cluster.try_to_delete, args=(self._name,), daemon=True).start()
            self._wake.set()

    def _tell_what_was_kept(self, watcher: JobWatcher) -> None:
        """What the script printed, as the launcher sent it: the cluster has no log of a pod that is gone."""
        if self._told_before:
            watcher.on_line("kubernetes", "The pod's log is gone: the record has what it printed last.")
            return
        for stream in ("stdout", "stderr"):
            for line in self._report.printed(stream):
                watcher.on_line(stream, line)
