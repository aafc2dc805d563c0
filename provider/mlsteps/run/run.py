"""``Run``: what a script imports to say what it does, and the run that the launcher opened for it.

The methods are in one file for each of their purposes (``_metric_methods.py`` and so on); here they come
together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.exceptions import RunEnvironmentException
from mlsteps.run._child_methods import ChildMethods
from mlsteps.run._core import Identity
from mlsteps.run._label_methods import LabelMethods
from mlsteps.run._metric_methods import MetricMethods
from mlsteps.run._model_methods import ModelMethods
from mlsteps.run._status_methods import StatusMethods
from mlsteps.run.datasets import NamedPaths, no_datasets
from mlsteps.run.experiment import RunExperiment
from mlsteps.run.files import RunFiles
from mlsteps.run.journal import EventLog
from mlsteps.run.missing import missing_attribute
from mlsteps.run.protocol import RUN_DIRECTORY_VARIABLE

# One run for each run directory; "" is the offline run. Filled with setdefault, which is atomic: a lock here
# could be held by another thread while this process forks.
_contexts: dict[str, Run] = {}


class Run(ModelMethods, MetricMethods, LabelMethods, ChildMethods, StatusMethods):
    """A run as its own script sees it: ``run = Run.get_context()``. SDK v1: ``azureml.core.Run``.

    All state is in the run's journal, so one object may be used from threads, forked and pickled into worker
    processes.

    ``Run(experiment, run_id)``, by which SDK v1 reads another run, asks the experiment's workspace for it.
    """

    _parent: Run | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Run:
            return _read_run(*args, **kwargs)
        return super().__new__(cls)

    @classmethod
    def get_context(
        cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any
    ) -> Run:
        """The run this script belongs to; always the same object in one process.

        Args:
            allow_offline: without a launcher, return a run that prints and remembers instead of raising.
            used_for_context_manager: accepted for SDK v1's sake, like further arguments.

        Raises:
            RunEnvironmentException: there is no run and ``allow_offline`` is False; or there is one, and what
                the launcher wrote of it cannot be read.
        """
        directory = os.environ.get(RUN_DIRECTORY_VARIABLE, "")
        if directory in _contexts and (directory or allow_offline):
            return _contexts[directory]
        if directory:
            from mlsteps.run.submitted import open_run

            return _contexts.setdefault(directory, open_run(directory))
        if "DATABRICKS_RUNTIME_VERSION" in os.environ:
            from mlsteps.run.databricks import open_there, told_place

            if place := told_place():
                return _contexts.get(place) or _contexts.setdefault(place, open_there(place))
        if not allow_offline:
            raise RunEnvironmentException(
                f"This script was not started by mlsteps: {RUN_DIRECTORY_VARIABLE} is not set. "
                "Run it as a step, or call Run.get_context() without allow_offline=False."
            )
        from mlsteps.run.offline import _OfflineRun

        return _contexts.setdefault("", _OfflineRun())

    @classmethod
    def get_submitted_run(cls, **kwargs: Any) -> Run:
        """The older name of ``get_context``."""
        return cls.get_context(**kwargs)

    @staticmethod
    def get(workspace: Any, run_id: str) -> Any:
        """Read another run: ``workspace.get_run(run_id)``, which needs the full package."""
        return workspace.get_run(run_id)

    @staticmethod
    def list(experiment: Any, *args: Any, **kwargs: Any) -> Any:
        """Read an experiment's runs: ``experiment.get_runs(...)``, which needs the full package."""
        return experiment.get_runs(*args, **kwargs)

    @property
    def id(self) -> str:
        """The run's id; outside a launched step it starts with ``OfflineRun``."""
        return self._identity.id

    @property
    def name(self) -> str:
        """The step's name; of a child run the name given to it; of the parent its id."""
        return self._identity.name

    @property
    def number(self) -> int | None:
        """The attempt at this step, counted from 1; None for other runs."""
        return self._identity.number

    @property
    def type(self) -> str:
        """``azureml.StepRun``, ``azureml.PipelineRun`` or ``azureml.scriptrun``, SDK v1's words."""
        return self._identity.type

    @property
    def experiment(self) -> RunExperiment:
        """The experiment: ``name`` and ``workspace``."""
        return self._identity.experiment

    @property
    def parent(self) -> Run | None:
        """The pipeline run of a step, the run that started a child run; None where there is none."""
        return self._parent

    @property
    def input_datasets(self) -> NamedPaths:
        """Name -> path of the step's inputs."""
        return no_datasets("input dataset", "only the step's own run has inputs")

    @property
    def output_datasets(self) -> NamedPaths:
        """Name -> path of the step's outputs."""
        return no_datasets("output dataset", "only the step's own run has outputs")

    def get_details(self) -> dict[str, Any]:
        """What is known of the run, as a dict with SDK v1's keys."""
        return {
            "runId": self.id,
            "runName": self.name,
            "runType": self.type,
            "status": self.get_status(),
            "properties": self.get_properties(),
            "tags": self.get_tags(),
            "inputDatasets": _paths("inputName", self.input_datasets),
            "outputDatasets": _paths("outputName", self.output_datasets),
            "runDefinition": {},
            "logFiles": {},
        }

    def get_secret(self, name: str) -> NoReturn:
        """Not offered: raises NotImplementedError, whose text says where secrets belong."""
        raise NotImplementedError(
            f"Secret {name!r}: a script cannot read secrets through its run. Keep it in an Airflow "
            "connection or secrets backend, and hand it to the step as an environment variable."
        )

    def get_secrets(self, secrets: Any) -> NoReturn:
        """Not offered; see ``get_secret``."""
        self.get_secret(", ".join(map(str, secrets)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, name={self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def _assemble(self, identity: Identity, log: EventLog, files: RunFiles, parent: Run | None) -> None:
        self._identity = identity
        self._log = log
        self._files = files
        self._parent = parent

    def _child_identity(self, child: str, name: str, tags: Mapping[str, str | None], type: str) -> Identity:
        whole = self._identity
        return Identity(child, name, child, type, whole.experiment, tags=tags, models=whole.models)

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise missing_attribute("Run", name)


def _read_run(experiment: Any = None, run_id: str = "", outputs: Any = None, **kwargs: Any) -> Any:
    if experiment is None or not run_id:
        raise TypeError("Run(experiment, run_id) reads another run; see Run.get_context().")
    return get_run(experiment, run_id)


def _paths(key: str, paths: Mapping[str, str]) -> list[dict[str, str]]:
    return [{key: name, "pathOnCompute": str(path)} for name, path in paths.items()]


def get_run(experiment: Any, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Any:
    """Read another run of an experiment, which needs the full package. SDK v1: ``azureml.core.run.get_run``.

    Args:
        experiment: an experiment with its workspace, such as ``run.experiment``.
        run_id: the run to read.
        rehydrate: accepted for SDK v1's sake, like ``clean_up``.
    """
    return experiment.workspace.get_run(run_id)
