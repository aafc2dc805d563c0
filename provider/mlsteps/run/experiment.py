"""``run.experiment`` as a script sees it: a name, and the way to the workspace."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.exceptions import WorkspaceException
from mlsteps.run.context import WorkspaceReference

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


class RunExperiment:
    """The experiment of a run. SDK v1: ``azureml.core.Experiment``, of which this is the part scripts use.

    Args:
        name: the experiment's name.
        reference: the workspace as the launcher named it; None outside a launched step, where the workspace
            is the one that ``Workspace.from_config()`` finds.
    """

    def __init__(self, name: str, reference: WorkspaceReference | None) -> None:
        self.name = name
        self._reference = reference
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """The workspace, connected on first use.

        Raises:
            WorkspaceException: the script's environment has only the run part of mlsteps, or the launcher
                said nothing about how to reach the workspace, or it cannot be reached.
        """
        if self._workspace is None:
            self._workspace = self._connect()
        return self._workspace

    @property
    def workspace_object(self) -> Workspace:
        """The same as ``workspace`` (SDK v1 has both names)."""
        return self.workspace

    def get_runs(self, *args: Any, **kwargs: Any) -> Any:
        """The recorded runs of this experiment; arguments as of ``Experiment.get_runs``."""
        return self.workspace.experiments[self.name].get_runs(*args, **kwargs)

    def __repr__(self) -> str:
        return f"RunExperiment({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # a workspace holds connections; a worker process that unpickles a run makes its own when it needs one
        return RunExperiment, (self.name, self._reference)

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"A script's experiment has no {name!r}; it has name, workspace and get_runs(). "
                f"The whole one is run.experiment.workspace.experiments[name]."
            )

    def _connect(self) -> Workspace:
        reference = self._reference
        if reference is not None and reference.locator is None:
            raise WorkspaceException(
                f"Workspace {reference.name!r} cannot be reached from this script: the step was launched "
                "without a locator for it. Pass what the script needs as arguments or inputs."
            )
        try:
            # by name, so that nothing that collects this package's imports follows this one
            workspace: type[Workspace] = import_module("mlsteps.workspace").Workspace
        except ImportError as error:
            raise WorkspaceException(
                "run.experiment.workspace needs the full package, which is not installed in this environment "
                f"({error}). Add airflow-provider-mlsteps to it, or pass what the script needs as arguments "
                "or inputs."
            ) from error
        if reference is None or reference.locator is None:
            return workspace.from_config()
        return workspace.from_locator(reference.locator)
