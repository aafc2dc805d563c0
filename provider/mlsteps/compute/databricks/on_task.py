"""DatabricksTaskTarget: one step's task on a Databricks workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
from mlsteps.compute.databricks.task import DatabricksTask

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan


class DatabricksTaskTarget(ComputeTarget):
    """Runs what a DatabricksStep declares, and nothing else.

    :param target: Where.
    :param task: What.
    :param tell_page: Called with the address of the run's page.
    """

    kind = DatabricksCompute.kind
    type = DatabricksCompute.type

    def __init__(
        self,
        target: DatabricksCompute,
        task: DatabricksTask,
        tell_page: Callable[[str], None] = lambda url: None,
    ) -> None:
        super().__init__(target.name)
        self._tell_page = tell_page
        self.target = target
        self.task = task

    def describe(self) -> Mapping[str, Any]:
        """The workspace's name and settings, for records."""
        return self.target.describe()

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """The code that lies on Databricks, libraries, and what of the cluster counts.

        See :meth:`ComputeTarget.environment_identity`. Libraries count by their names and versions as given.
        """
        from mlsteps.compute.databricks.api import Databricks
        from mlsteps.compute.databricks.code import identity

        return identity(self.target, self.task, lambda: Databricks(self.target))

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run the task; see :meth:`ComputeTarget.run`.

        :raises JobSuspended: the run is on its way. Called again, this goes on with what became of it.
        """
        from mlsteps.compute.databricks.running import run_there

        return run_there(self.target, self.task, job, watcher, self._tell_page)
