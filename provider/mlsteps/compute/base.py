"""The seam between steps and the places where scripts run."""

from __future__ import annotations

import builtins
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.compute.configuration import ComputeConfiguration
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from pathlib import Path

    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan
    from mlsteps.workspace import Workspace

# As the first word of a command: the interpreter of the job's environment.
PYTHON = "python"


class _FoundByName(ABCMeta):
    """Lets ``ComputeTarget(workspace, name)`` find a target, of whatever class it is, as in SDK v1."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        workspace = args[0] if args else kwargs.get("workspace")
        if not hasattr(workspace, "find_compute_target"):
            return super().__call__(*args, **kwargs)
        return cls._find(*args, **kwargs)

    def _find(cls, workspace: Workspace, name: str) -> Any:
        found: Any = workspace.find_compute_target(name)
        if found is None:
            raise ComputeTargetException(
                f"ComputeTargetNotFound: workspace {workspace.name!r} has no compute target {name!r}; "
                f"it has {', '.join(sorted(workspace.compute_targets))}."
            )
        if cls not in type(found).__mro__:
            raise ComputeTargetException(
                f"Compute target {name!r} is of type {found.kind!r}, not a {cls.__name__}. "
                f"ComputeTarget(workspace, name) finds it whatever it is."
            )
        return found


class ComputeTarget(metaclass=_FoundByName):
    """Runs jobs. Holds settings only: may stand in a DAG file, and one object may run many jobs at once.

    ``ComputeTarget(workspace, name)`` is the target of that name: of the class that it is, and with a
    :class:`ComputeTargetException` if there is none. (SDK v1: ``azureml.core.compute.ComputeTarget``.)
    """

    kind: str = ""
    """``type`` in a workspace's settings."""

    type: str = ""
    """SDK v1's word for it."""

    provisioning_state = "Succeeded"
    """There is nothing to wait for: what a job needs is started for the job."""

    provisioning_errors = None

    workspace: Workspace | None = None
    """Where it was found by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        # Stable: Airflow hashes what stands in a DAG file.
        settings = ", ".join(f"{key}={value!r}" for key, value in sorted(self.describe().items()))
        return f"{type(self).__name__}({settings})"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return repr(self)

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any]) -> ComputeTarget:
        """The target that a workspace's settings mean: what :meth:`describe` said, without type and name."""
        made: ComputeTarget = cls(name=name, **settings)
        return made

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records and to make it again; never a secret."""

    @abstractmethod
    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job to its end.

        The outcome tells whether the script succeeded; an exception means that it could not be run.
        ``watcher`` hears of output, metrics and phases on the way, and can stop the job.
        """

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """What an environment is here for the results of a script: part of the key that decides about reuse.

        The same packages for the same Python are the same everywhere.

        :param plan: What is asked for.
        :param locks: What packages were resolved to.
        :param folder: On this machine, for what is known of environments.
        """
        from mlsteps.environment import environment_identity, lock_for

        return environment_identity(plan, lock_for(plan, locks))

    # Names in the workspace, as in SDK v1

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: ComputeConfiguration) -> Any:
        """Give a compute target a name that all who use the workspace find.

        Nothing is started and nothing costs. Where the name is configured, that counts. The same settings
        once more change nothing, so it may stand in a DAG file.

        :param provisioning_configuration: For example of ``AmlCompute.provisioning_configuration(...)``.
        :raises ComputeTargetException: the name stands for something else, or a setting is unusable.
        """
        return workspace.register_compute_target(name, provisioning_configuration)

    @staticmethod
    def attach(workspace: Workspace, name: str, attach_configuration: ComputeConfiguration) -> Any:
        """As :meth:`create`, with what ``attach_configuration(...)`` of a kind of compute made."""
        return workspace.register_compute_target(name, attach_configuration)

    @staticmethod
    def list(workspace: Workspace) -> builtins.list[ComputeTarget]:
        """Every compute target of a workspace; those that cannot be used are left out."""
        return list(workspace.usable_compute_targets())

    def get_status(self) -> Any:
        """How it is: always ready."""
        return self.provisioning_state

    def refresh_state(self) -> None:
        """Nothing to do: there is no state but the settings."""

    def wait_for_completion(self, show_output: bool = False, is_delete_operation: bool = False) -> None:
        """Return at once: there is nothing to wait for."""
        if show_output:
            print(f"Compute target {self.name!r} is ready.")

    def delete(self) -> None:
        """Forget its name; nothing else is deleted.

        :raises ComputeTargetException: it is configured, or was not found by name.
        """
        if self.workspace is None:
            raise ComputeTargetException(
                f"Compute target {self.name!r} was made in code and has no name in a workspace to delete."
            )
        self.workspace.unregister_compute_target(self.name)

    def detach(self) -> None:
        """As :meth:`delete`."""
        self.delete()
