"""The runs of a launched step: the step's own, its pipeline run, and the child runs below them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mlsteps.run._core import Identity
from mlsteps.run.context import RunContext
from mlsteps.run.datasets import NamedPaths, input_datasets, output_datasets
from mlsteps.run.experiment import RunExperiment
from mlsteps.run.home import RunHome
from mlsteps.run.protocol import CONTEXT_FILE, PARENT, SELF, RunType
from mlsteps.run.run import Run, get_run


class _SubmittedRun(Run):
    """A run whose journal and uploads are in ``home``."""

    def __init__(
        self, identity: Identity, home: RunHome, parent: Run | None, working_directory: str | None = None
    ) -> None:
        self._home = home
        files = home.uploads(identity.target, working_directory)
        self._assemble(identity, home.journal(), files, parent)

    def _open_child(self, child: str, name: str, tags: Mapping[str, str | None]) -> Run:
        return _SubmittedRun(self._child_identity(child, name, tags, RunType.CHILD), self._home, parent=self)


class _StepRun(_SubmittedRun):
    """The step's own run: the one with inputs, outputs and a working directory."""

    def __init__(self, identity: Identity, home: RunHome, parent: Run | None, context: RunContext) -> None:
        super().__init__(identity, home, parent, context.working_directory or None)
        self._context = context

    @property
    def input_datasets(self) -> NamedPaths:
        """Name -> path of the step's inputs; a KeyError says which there are."""
        return input_datasets(self._context.inputs)

    @property
    def output_datasets(self) -> NamedPaths:
        """Name -> path of the step's outputs; a KeyError says which there are."""
        return output_datasets(self._context.outputs)

    def get_details(self) -> dict[str, Any]:
        """What is known of the run, as a dict with SDK v1's keys; ``runDefinition`` holds the parameters."""
        return {**super().get_details(), "runDefinition": {"parameters": dict(self._context.parameters)}}


class _ParentRun(_SubmittedRun):
    """The pipeline run, as one of its steps sees it."""

    def get_children(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """The recorded runs of the pipeline's steps: read from the workspace (full package)."""
        yield from get_run(self.experiment, self.id).get_children(*args, **kwargs)


def open_run(directory: str) -> Run:
    """The run that the launcher described in ``directory``.

    Raises:
        RunEnvironmentException: the description is missing or cannot be read.
    """
    root = os.path.abspath(directory)  # the script may change its working directory
    return run_of(RunContext.load(os.path.join(root, CONTEXT_FILE)), RunHome(root))


def run_of(context: RunContext, home: RunHome) -> Run:
    """The run that ``context`` describes, with journal and uploads in ``home``."""
    experiment = RunExperiment(context.experiment, context.workspace)
    parent = None
    if context.parent is not None:
        whole = context.parent
        parent = _ParentRun(
            Identity(
                id=whole.run_id,
                name=whole.run_id,
                target=PARENT,
                type=RunType.PIPELINE,
                experiment=experiment,
                tags=whole.tags,
                properties=whole.properties,
                metrics=whole.metrics,
                models=context.models,
            ),
            home,
            parent=None,
        )
    step = Identity(
        id=context.run_id,
        name=context.name,
        target=SELF,
        type=RunType.STEP,
        experiment=experiment,
        number=context.attempt,
        tags=context.tags,
        properties=context.properties,
        models=context.models,
    )
    return _StepRun(step, home, parent, context)
