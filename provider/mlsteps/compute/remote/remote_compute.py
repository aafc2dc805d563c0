"""RemoteCompute: the script runs on another machine, by SSH."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.configuration import ComputeConfiguration
from mlsteps.compute.input_cache import DEFAULT_GIGABYTES, checked_gigabytes
from mlsteps.compute.packages import checked_packages, with_packages
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.compute.remote.machine import Machine
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan

_PYTHON = "python3"
_WORK_DIRECTORY = "~/.mlsteps"


class RemoteCompute(ComputeTarget):
    """Runs scripts on a machine that is reached by SSH, and shares no disk with the worker.

    It needs Python 3.9 or newer and nothing else. Snapshots are sent once; inputs are fetched by the worker
    and sent for each job; outputs, metrics and logs come back. With no environment asked for, the script runs
    in ``python``; else in a virtual environment that is made there once. When the step is over its folder
    there is gone, also after the worker was killed. (SDK v1: ``azureml.core.compute.RemoteCompute``.)

    :param name: The name it goes by.
    :param ssh_conn_id: Airflow's connection of type ``ssh``.
    :param python: An interpreter there.
    :param work_directory: A folder there, for jobs, snapshots and environments.
    :param packages: pip requirements for steps that ask for no environment.
    :param input_cache_gb: How much of what the worker fetched is kept for other steps, in 10^9 bytes.
    :raises ComputeTargetException: a setting is unusable.
    """

    kind = "remote"
    type = "VirtualMachine"

    def __init__(
        self,
        name: str = "remote",
        ssh_conn_id: str = "ssh_default",
        python: str = _PYTHON,
        work_directory: str = _WORK_DIRECTORY,
        packages: Sequence[str] = (),
        input_cache_gb: float = DEFAULT_GIGABYTES,
    ) -> None:
        super().__init__(name)
        where = f"Compute target {name!r}"
        given: dict[str, object] = {
            "ssh_conn_id": ssh_conn_id,
            "python": python,
            "work_directory": work_directory,
        }
        for setting, value in given.items():
            if not isinstance(value, str) or not value.strip():
                raise ComputeTargetException(f"{where}: {setting} is a text, got {value!r}.")
        if not work_directory.startswith(("/", "~/")):
            raise ComputeTargetException(
                f"{where}: work_directory is a path that begins with / or ~/, got {work_directory!r}."
            )
        self.ssh_conn_id = ssh_conn_id
        self.python = python
        self.work_directory = work_directory.rstrip("/")
        self.packages = checked_packages(where, packages)
        self.input_cache_gb = checked_gigabytes(where, input_cache_gb)

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        settings = {
            "python": (self.python, _PYTHON),
            "work_directory": (self.work_directory, _WORK_DIRECTORY),
            "packages": (list(self.packages), []),
            "input_cache_gb": (self.input_cache_gb, DEFAULT_GIGABYTES),
        }
        known = {key: value for key, (value, default) in settings.items() if value != default}
        return {"type": self.kind, "name": self.name, "ssh_conn_id": self.ssh_conn_id, **known}

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """Packages for the machine's Python; where nothing is asked for, its interpreter's own packages.

        See :meth:`ComputeTarget.environment_identity`. Asks the machine.
        """
        from mlsteps.compute.remote.environments import check_plan, interpreter_identity
        from mlsteps.environment import environment_identity, lock_for

        plan = with_packages(plan, self.packages)
        check_plan(f"Compute target {self.name!r}", plan)
        with self._machine() as machine:
            if plan.spec is None:
                return interpreter_identity(machine, plan.interpreter)
            minor = str(machine.facts["minor"])
        return environment_identity(plan, lock_for(plan, locks, image_python=minor))

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job there; see :meth:`ComputeTarget.run`."""
        from mlsteps.compute.input_cache import InputCache
        from mlsteps.compute.placement import Elsewhere, Interpreter, Placement, describe_environment
        from mlsteps.compute.remote.environments import check_plan, python_there
        from mlsteps.compute.remote.remote_run import RemoteRun, held_folder
        from mlsteps.compute.scratch import ScratchFolder
        from mlsteps.environment import lock_for, plan_environment
        from mlsteps.launcher.package import build_launcher_zip

        plan = with_packages(plan_environment(job.run_configuration), self.packages)
        check_plan(f"Compute target {self.name!r}", plan)

        def tell(line: str) -> None:
            watcher.on_line("environment", line)

        with ExitStack() as stack:
            with watcher.phase("connect"):
                machine = stack.enter_context(self._machine())
            with watcher.phase("environment"):
                lock = lock_for(plan, job.locks, tell, str(machine.facts["minor"]))
                python = python_there(machine, plan, lock, tell, lambda: watcher.stopped)
            described = {**describe_environment(plan, lock), "machine": self.ssh_conn_id}
            interpreter = Interpreter(python, machine.facts["variables"], False, described)
            folder = stack.enter_context(ScratchFolder(job.scratch, job.id))
            with watcher.phase("send"):
                elsewhere = Elsewhere(
                    stack.enter_context(held_folder(machine, job.id, watcher)),
                    machine.keep(build_launcher_zip(job.environments), "programs"),
                    machine.keep(job.snapshot, "snapshots") if job.snapshot else None,
                )
            cache = InputCache(job.input_cache, int(self.input_cache_gb * 1e9))
            placement = Placement(job, folder, interpreter, cache, plan.environment_variables, elsewhere)
            return placement.run(
                watcher, lambda placed, job_file, result: RemoteRun(machine, placed, job_file, result)
            )

    @contextmanager
    def _machine(self) -> Iterator[Machine]:
        from mlsteps.compute.remote.connection import connected
        from mlsteps.compute.remote.machine import Machine

        with connected(self.name, self.ssh_conn_id) as client:
            yield Machine(self.name, client, self.python, self.work_directory)

    # As in SDK v1

    @staticmethod
    def attach_configuration(
        username: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        vm_name: str | None = None,
        resource_id: str | None = None,
        address: str | None = None,
        ssh_port: int = 22,
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
        *,
        ssh_conn_id: str | None = None,
        python: str | None = None,
        work_directory: str | None = None,
        packages: Sequence[str] | None = None,
    ) -> ComputeConfiguration:
        """What to attach. Address, user and key are those of Airflow's connection ``ssh_conn_id``.

        :raises ComputeTargetException: no connection is named.
        """
        if not ssh_conn_id:
            raise ComputeTargetException(
                "RemoteCompute.attach_configuration: nothing here keeps addresses and keys of machines. Make "
                "an Airflow connection of type ssh with host, login, port and key_file or private_key, and "
                "name it: attach_configuration(ssh_conn_id=...)."
            )
        return ComputeConfiguration(
            {
                "type": RemoteCompute.kind,
                "ssh_conn_id": ssh_conn_id,
                "python": python,
                "work_directory": work_directory,
                "packages": list(packages) if packages else None,
            }
        )
