"""The seam between steps and the places where scripts run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob

# As the first word of a command: the interpreter of the job's environment.
PYTHON = "python"


class ComputeTarget(ABC):
    """Runs jobs. Holds settings only: may stand in a DAG file, and one object may run many jobs at once."""

    kind: str = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        # Stable: Airflow hashes what stands in a DAG file.
        settings = ", ".join(f"{key}={value!r}" for key, value in sorted(self.describe().items()))
        return f"{type(self).__name__}({settings})"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return repr(self)

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records; never a secret."""

    @abstractmethod
    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job to its end.

        The outcome tells whether the script succeeded; an exception means that it could not be run.
        ``watcher`` hears of output, metrics and phases on the way, and can stop the job.
        """
