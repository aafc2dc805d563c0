"""LocalCompute: the script is a child process of the Airflow worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.input_cache import DEFAULT_GIGABYTES, InputCache, checked_gigabytes
from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
from mlsteps.compute.local_process import LauncherProcess
from mlsteps.compute.placement import Interpreter, Placement, describe_environment
from mlsteps.compute.scratch import ScratchFolder
from mlsteps.compute.script_environment import script_environment
from mlsteps.environment import (
    EnvironmentKind,
    VirtualEnvironments,
    lock_for,
    plan_environment,
    python_for,
)
from mlsteps.exceptions import ComputeTargetException


class LocalCompute(ComputeTarget):
    """Runs scripts on the machine of the Airflow worker, each in its own process group.

    With no environment asked for, the script runs in the worker's own interpreter; else in a virtual
    environment that is built once and kept. Data on a datastore that is a folder is used in place; of other
    datastores it is fetched before the script starts, once for all steps that read the same.

    :param name: The name it goes by.
    :param pass_environment: Environment variables of the worker that scripts get besides the harmless ones
        (``PATH``, ``HOME``, locale, certificates, devices). Airflow's own are never passed.
    :param scratch: Folder for working directories; default: below the workspace's folder.
    :param input_cache_gb: How much of what was fetched is kept for other steps, in 10^9 bytes.
    """

    kind = "local"
    type = "local"

    def __init__(
        self,
        name: str = "local",
        pass_environment: Sequence[str] = (),
        scratch: str | None = None,
        input_cache_gb: float = DEFAULT_GIGABYTES,
    ) -> None:
        super().__init__(name)
        self.input_cache_gb = checked_gigabytes(f"Compute target {name!r}", input_cache_gb)
        if isinstance(pass_environment, str):
            raise ComputeTargetException(
                f"Compute target {name!r}: pass_environment is a list of names, got {pass_environment!r}."
            )
        self.pass_environment = tuple(pass_environment)
        self.scratch = scratch

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        described: dict[str, Any] = {"type": self.kind, "name": self.name}
        if self.pass_environment:
            described["pass_environment"] = list(self.pass_environment)
        if self.scratch:
            described["scratch"] = self.scratch
        if self.input_cache_gb != DEFAULT_GIGABYTES:
            described["input_cache_gb"] = self.input_cache_gb
        return described

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job in a process group of its own; see :meth:`ComputeTarget.run`."""
        plan = plan_environment(job.run_configuration)
        with watcher.phase("environment"):

            def tell(line: str) -> None:
                watcher.on_line("environment", line)

            lock = lock_for(plan, job.locks, tell)
            environments = VirtualEnvironments(job.environments)
            python = python_for(plan, environments, tell, lock)
        with ScratchFolder(Path(self.scratch) if self.scratch else job.scratch, job.id) as folder:
            interpreter = Interpreter(
                str(python),
                {**script_environment(self.pass_environment), **environments.variables_of(python)},
                plan.kind is EnvironmentKind.WORKER,
                describe_environment(plan, lock),
            )
            cache = InputCache(job.input_cache, int(self.input_cache_gb * 1e9))
            placement = Placement(job, folder, interpreter, cache, plan.environment_variables)
            return placement.run(
                watcher,
                lambda placed, job_file, result: LauncherProcess(placed.launcher_zip, job_file, result),
            )
