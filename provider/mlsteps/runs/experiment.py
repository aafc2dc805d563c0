"""Experiment: a label over runs, and the way to submit one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlsteps.exceptions import UserErrorException
from mlsteps.records import list_runs
from mlsteps.runs.pipeline_run import PipelineRun

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody wants, of whatever is submitted.

    :param tags: Set on the run.
    :param parameters: Values by name.
    :param continue_on_step_failure: Go on with steps that do not depend on one that failed; None is as what
        is submitted says, and else not.
    :param regenerate_outputs: Run every step, whatever could be reused.
    :param parent_run_id: The run that it is part of, for whoever asks for its properties.
    :param properties: Set on the run.
    """

    experiment: Experiment
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    regenerate_outputs: bool = False
    parent_run_id: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Submittable(Protocol):
    """What an experiment can run: a Pipeline, or a published one."""

    def run_in_process(self, request: RunRequest) -> PipelineRun:
        """Run to the end, here and now."""

    def run_on_airflow(self, request: RunRequest) -> PipelineRun:
        """Start it on the Airflow that the workspace names."""


class Experiment:
    """A label over runs. (SDK v1: ``azureml.core.Experiment``.)

    :param workspace: Where its runs are recorded.
    :param name: Its name.
    """

    def __init__(self, workspace: Workspace, name: str, **kwargs: Any) -> None:
        self.workspace = workspace
        self.name = _checked_name(name)

    def __repr__(self) -> str:
        return f"Experiment({self.name!r})"

    def submit(
        self,
        config: Submittable,
        tags: Mapping[str, str] | None = None,
        *,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run a pipeline in this process, one step after the other, and return its run when it is over.

        Where the workspace names an Airflow, the pipeline is published and run there, and its run is returned
        as soon as it is started. A failed step does not raise: ask the run, or
        :meth:`PipelineRun.wait_for_completion`.

        :param config: The pipeline.
        :param tags: Set on the run.
        :param pipeline_parameters: Values by name; each must have the type of its default.
        :param continue_on_step_failure: Go on with steps that do not depend on one that failed. Default: as a
            published pipeline says, and else not.
        :param regenerate_outputs: Run every step, whatever could be reused.
        :param parent_run_id: Kept among the run's properties, as ``ParentRunId``.
        :raises PipelineParameterError: a parameter is unknown or has the wrong type.
        :raises UserErrorException: ``config`` is no pipeline, or cannot run in this workspace.
        """
        if not isinstance(config, Submittable):
            raise UserErrorException(f"Experiment.submit runs a Pipeline, got {type(config).__name__}.")
        request = RunRequest(
            self,
            tags or {},
            pipeline_parameters or kwargs.get("pipeline_params") or {},
            continue_on_step_failure,
            regenerate_outputs,
            parent_run_id,
        )
        elsewhere = self.workspace.config.airflow is not None
        return config.run_on_airflow(request) if elsewhere else config.run_in_process(request)

    def get_runs(self, **kwargs: Any) -> Iterator[PipelineRun]:
        """Its runs, newest first."""
        for record in list_runs(self.workspace.record_store()):
            if record.experiment == self.name:
                yield PipelineRun(self, record.run_id, _dag_id=record.dag_id)

    @staticmethod
    def list(workspace: Workspace, experiment_name: str | None = None, **kwargs: Any) -> list[Experiment]:
        """The workspace's experiments."""
        names = sorted({run.experiment for run in list_runs(workspace.record_store())})
        return [Experiment(workspace, name) for name in names if experiment_name in (None, name)]


def _checked_name(name: object) -> str:
    if isinstance(name, str) and name.strip():
        return name
    raise UserErrorException(f"An experiment needs a name, got {name!r}.")
