"""PipelineRun: one run of a pipeline, read from its records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import ActivityFailedException, DataNotFoundException, WorkspaceException
from mlsteps.records import (
    RunRecord,
    cancel_reason,
    cancel_run,
    list_runs,
    parent_metric_events,
    read_run,
    read_steps,
    run_state,
)
from mlsteps.run.metrics import aggregate
from mlsteps.runs.dag_ids import PUBLICATION, dag_id_from_name, is_read_from_workspace
from mlsteps.runs.following import Follower
from mlsteps.runs.status import STATUS
from mlsteps.runs.step_run import StepRun, picked

if TYPE_CHECKING:
    from mlsteps.data import PortDataReference
    from mlsteps.graph import Graph
    from mlsteps.hooks.airflow import RunningAirflow
    from mlsteps.publishing import PublishedPipeline
    from mlsteps.runs.experiment import Experiment
    from mlsteps.workspace import Workspace

_PUBLISHING = "mlsteps.publishing"
_BY_CANCEL = "by PipelineRun.cancel()"


class PipelineRun:
    """One run of a pipeline, read from its records. (SDK v1: ``azureml.pipeline.core.PipelineRun``.)"""

    def __init__(self, experiment: Experiment, run_id: str, _dag_id: str | None = None) -> None:
        self.experiment = experiment
        self.id = run_id
        self._dag_id = _dag_id or dag_id_from_name(experiment.name)
        self._store = experiment.workspace.record_store()

    def __repr__(self) -> str:
        return (
            f"PipelineRun(experiment={self.experiment.name!r}, id={self.id!r}, status={self.get_status()!r})"
        )

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> PipelineRun:
        """The run with this id.

        :raises WorkspaceException: the workspace has no such run.
        """
        from mlsteps.runs.experiment import Experiment

        for record in list_runs(workspace.record_store()):
            if record.run_id == run_id:
                return PipelineRun(Experiment(workspace, record.experiment), run_id, _dag_id=record.dag_id)
        raise WorkspaceException(f"Workspace {workspace.name!r} has no run {run_id!r}.")

    @staticmethod
    def get_pipeline_runs(
        workspace: Workspace, pipeline_id: str, _service_endpoint: str | None = None
    ) -> list[PipelineRun]:
        """The runs of a published pipeline that have begun, the newest first."""
        from mlsteps.runs.experiment import Experiment

        return [
            PipelineRun(Experiment(workspace, record.experiment), record.run_id, _dag_id=record.dag_id)
            for record in list_runs(workspace.record_store())
            if record.properties.get(PUBLICATION) == pipeline_id
        ]

    @property
    def record(self) -> RunRecord:
        """Its record.

        :raises WorkspaceException: no step has started yet.
        """
        record = read_run(self._store, self._dag_id, self.id)
        if record is None:
            raise WorkspaceException(f"Run {self.id!r} has no record: none of its steps has started.")
        return record

    def finish(
        self, state: str, tags: Mapping[str, str] | None = None, parameters: Mapping[str, Any] | None = None
    ) -> None:
        """Write how it ended; for whoever ran all of it and saw its end."""
        from mlsteps.run.journal import utc_now

        # Without a record no step has come as far as starting.
        record = read_run(self._store, self._dag_id, self.id) or RunRecord(
            self._dag_id,
            self.id,
            self.experiment.name,
            created=utc_now(),
            tags=dict(tags or {}),
            parameters=dict(parameters or {}),
        )
        if record.state is None:
            canceled = state != "failed" and cancel_reason(self._store, self._dag_id, self.id) is not None
            record.finish(self._store, "canceled" if canceled else state, utc_now())

    @cached_property
    def _airflow(self) -> RunningAirflow | None:
        """The Airflow that runs it, where it is one that runs are submitted to."""
        there = is_read_from_workspace(self._dag_id)
        return self.experiment.workspace.running_airflow() if there else None

    def _state(self) -> str | None:
        record = read_run(self._store, self._dag_id, self.id)
        reason = cancel_reason(self._store, self._dag_id, self.id)
        state = None
        if record is not None:
            state = run_state(record, read_steps(self._store, record), reason is not None)
        if state in (None, "running") and self._airflow is not None:
            # It may have ended without a word of its steps: nothing could be started, or somebody ended it.
            told = self._airflow.state(self._dag_id, self.id)
            state = told if told in ("success", "failed") else state
        return "canceled" if state == "failed" and reason == _BY_CANCEL else state

    def get_status(self) -> str:
        """``NotStarted``, ``Running``, ``Finished``, ``Failed`` or ``Canceled``."""
        state = self._state()
        return "NotStarted" if state is None else STATUS[state][0]

    @property
    def status(self) -> str:
        """``NotStarted``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        state = self._state()
        return "NotStarted" if state is None else STATUS[state][1]

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = float("inf"), raise_on_error: bool = True
    ) -> str:
        """Wait until it is over, and return its status.

        :param show_output: Print each step as it starts and ends, and what it logs on a running Airflow.
        :param timeout_seconds: Give up waiting then; the status returned is not a final one.
        :raises ActivityFailedException: it failed, and ``raise_on_error`` is on. Names the steps that did.
        """
        deadline = time.monotonic() + timeout_seconds
        follower = Follower(self, self._airflow)
        while True:
            status = self.get_status()
            if show_output:
                follower.tell()
            if status in ("Finished", "Failed", "Canceled") or time.monotonic() >= deadline:
                break
            time.sleep(1)
        if status == "Failed" and raise_on_error:
            errors = [f"{step.name}: {step.record.error}" for step in self.get_steps() if step.record.error]
            raise ActivityFailedException(f"Run {self.id!r} failed.\n" + "\n".join(errors))
        return status

    def get_steps(self) -> Iterator[StepRun]:
        """The steps that have started, in the order they did."""
        record = read_run(self._store, self._dag_id, self.id)
        for step in read_steps(self._store, record) if record else ():
            yield StepRun(self, step)

    def get_children(self, **kwargs: Any) -> Iterator[StepRun]:
        """The same as :meth:`get_steps`."""
        return self.get_steps()

    def find_step_run(self, name: str) -> list[StepRun]:
        """The steps of this name; names need not be unique."""
        return [step for step in self.get_steps() if step.name == name]

    def get_pipeline_output(self, pipeline_output_name: str) -> PortDataReference:
        """The output that was declared with this ``pipeline_output_name``.

        :raises DataNotFoundException: no step has made it; the text lists those there are.
        """
        found = {}
        for step in self.get_steps():
            for name, output in step.record.outputs.items():
                found[output.get("pipeline_output_name")] = step.get_output_data(name)
        if pipeline_output_name not in found:
            known = ", ".join(sorted(filter(None, found))) or "none"
            raise DataNotFoundException(
                f"Run {self.id!r} has no pipeline output {pipeline_output_name!r}; there is {known}."
            )
        return found[pipeline_output_name]

    def get_metrics(self, name: str | None = None, recursive: bool = False, **kwargs: Any) -> dict[str, Any]:
        """What its steps logged on the run itself; with ``recursive`` by run id, with their own metrics."""
        steps = list(self.get_steps())
        own = aggregate(dict(event) for event in parent_metric_events([step.record for step in steps]))
        own_picked = picked(own, name)
        if not recursive:
            return own_picked
        return {self.id: own_picked, **{step.id: step.get_metrics(name) for step in steps}}

    def get_tags(self) -> dict[str, Any]:
        """Tags given at submission, and those its steps set on it."""
        tags = dict(self.record.tags)
        for step in self.get_steps():
            tags |= step.record.parent_tags
        return tags

    @property
    def tags(self) -> dict[str, Any]:
        """The same as :meth:`get_tags`."""
        return self.get_tags()

    def get_properties(self) -> dict[str, Any]:
        """Labels that do not change: given at submission, and of what publication it is."""
        return dict(self.record.properties)

    @property
    def properties(self) -> dict[str, Any]:
        """The same as :meth:`get_properties`."""
        return self.get_properties()

    def get_graph(self) -> Graph:
        """The steps of the pipeline that it ran, and the order among them.

        :raises UserErrorException: it is of no pipeline that was submitted or published.
        """
        graph_of_run: Callable[..., Graph] = import_module(_PUBLISHING).graph_of_run
        return graph_of_run(self.experiment.workspace, self._dag_id, self.id)

    def save(self, path: str | None = None) -> str:
        """Write the pipeline that it ran as a YAML file; see ``PublishedPipeline.save``.

        :param path: The file, or a folder for ``<experiment>.yml``; default: the working directory.
        :returns: The file's path.
        :raises UserErrorException: it is of no pipeline that was submitted or published, or something in that
            has no place in the format; the text says what.
        """
        save_run: Callable[..., str] = import_module(_PUBLISHING).save_run
        return save_run(self.experiment.workspace, self._dag_id, self.id, self.experiment.name, path)

    def publish_pipeline(
        self,
        name: str,
        description: str,
        version: str,
        continue_on_step_failure: bool | None = None,
        **kwargs: Any,
    ) -> PublishedPipeline:
        """Publish the pipeline that it ran, with the code that it ran; see ``Pipeline.publish``.

        :raises UserErrorException: it was not submitted from a Pipeline, or that cannot be published.
        """
        # By name: publishing knows pipelines, and runs do not.
        publish_run: Callable[..., PublishedPipeline] = import_module(_PUBLISHING).publish_run
        return publish_run(
            self.experiment.workspace,
            self._dag_id,
            self.id,
            name,
            description,
            version,
            continue_on_step_failure,
            **kwargs,
        )

    def cancel(self) -> None:
        """Stop it: steps that have not started will not, and an Airflow that runs it ends those that have."""
        cancel_run(self._store, self._dag_id, self.id, _BY_CANCEL)
        if self._airflow is not None and self._state() in (None, "running"):
            self._airflow.end(self._dag_id, self.id)
