"""Deadline: a task's ``execution_timeout`` over all parts of a try, also while no worker waits for its job.

Airflow measures it in each worker anew; what waits in its triggerer it measures from the deferral.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlsteps.compute.durations import in_words

if TYPE_CHECKING:
    from mlsteps.compute import JobOutcome, JobWatcher

# What has ended by itself, and has only waited for a worker, is looked at first.
_LOOK_SECONDS = 5.0
# The trigger ends the wait by itself; Airflow does so where no triggerer is at work.
_AIRFLOW_LATER = timedelta(minutes=1)


@dataclass(frozen=True)
class Deadline:
    """When a try has to be over.

    :param limit: The task's ``execution_timeout``; None is no limit.
    :param at: Seconds since the epoch.
    """

    limit: timedelta | None
    at: float = 0.0

    @classmethod
    def of(cls, limit: timedelta | None, suspended: Mapping[str, Any] | None) -> Deadline:
        """Of a try that begins now, or has begun in another process.

        :param suspended: What the first part has left; None in the first part.
        """
        if limit is None:
            return cls(None)
        at = suspended.get("deadline") if suspended is not None else None
        return cls(limit, at if at is not None else time.time() + limit.total_seconds())

    def to_plain(self) -> dict[str, float]:
        """For the parts that come, as plain JSON."""
        return {"deadline": self.at} if self.limit is not None else {}

    @property
    def for_airflow(self) -> timedelta | None:
        """After how long Airflow itself may end a deferred task."""
        if self.limit is None:
            return None
        return timedelta(seconds=max(0.0, self.at - time.time())) + _AIRFLOW_LATER

    @contextmanager
    def stopping(self, watcher: JobWatcher, suspended: Mapping[str, Any] | None) -> Iterator[_Stop]:
        """Stop a job that another part of this try began, when it is time; in the first part Airflow does."""
        stop = _Stop(self, watcher)
        if self.limit is None or suspended is None:
            yield stop
            return
        if suspended.get("overdue"):
            stop()
        timer = threading.Timer(max(self.at - time.time(), _LOOK_SECONDS), stop)
        timer.daemon = True
        timer.start()
        try:
            yield stop
        finally:
            timer.cancel()


class _Stop:
    """Stops a job, and remembers that it did."""

    def __init__(self, deadline: Deadline, watcher: JobWatcher) -> None:
        self._deadline, self._watcher = deadline, watcher
        self._done = False

    def __call__(self) -> None:
        self._done = True
        self._watcher.stop()

    def explained(self, outcome: JobOutcome) -> JobOutcome:
        """The outcome, with the reason for the stop."""
        if not self._done or outcome.error is None:
            return outcome
        return replace(outcome, error=overdue_in_words(self._deadline.limit))


def overdue_in_words(limit: timedelta | None) -> str:
    """That a task was stopped because of its time."""
    if limit is None:
        return "The task was stopped because it took too long."
    return (
        f"The task was stopped because it took longer than {in_words(limit.total_seconds())}, which is all "
        f"that its execution_timeout allows."
    )
