"""Experiment, PipelineRun, StepRun: submitting pipelines and reading what came of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.data import PortDataReference
from mlsteps.exceptions import (
    ActivityFailedException,
    DataNotFoundException,
    UserErrorException,
    WorkspaceException,
)
from mlsteps.records import (
    RunRecord,
    StepRecord,
    cancel_reason,
    cancel_run,
    list_runs,
    parent_metric_events,
    read_run,
    read_steps,
    run_state,
)
from mlsteps.run.metrics import aggregate

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline
    from mlsteps.workspace import Workspace

# SDK v1 has two vocabularies: get_status() says the first word, the property status the second.
_STATUS = {
    "running": ("Running", "Running"),
    "success": ("Finished", "Completed"),
    "ran": ("Finished", "Completed"),
    "reused": ("Finished", "Completed"),
    "failed": ("Failed", "Failed"),
    "canceled": ("Canceled", "Canceled"),
    "skipped": ("Bypassed", "Canceled"),
}


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
        config: Pipeline,
        tags: Mapping[str, str] | None = None,
        *,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool = False,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run a pipeline in this process, one step after the other, and return its run when it is over.

        A failed step does not raise: ask the run, or :meth:`PipelineRun.wait_for_completion`.

        :param config: The pipeline.
        :param tags: Set on the run.
        :param pipeline_parameters: Values by name; each must have the type of its default.
        :param continue_on_step_failure: Go on with steps that do not depend on one that failed.
        :param regenerate_outputs: Run every step, whatever could be reused.
        :raises PipelineParameterError: a parameter is unknown or has the wrong type.
        :raises UserErrorException: ``config`` is no pipeline, or cannot run in this workspace.
        """
        from mlsteps.local_airflow import run_dag
        from mlsteps.pipeline import Pipeline, dag_id_from_name
        from mlsteps.steps.attempt import CONF_KEY
        from mlsteps.steps.observers import observing

        if not isinstance(config, Pipeline):
            raise UserErrorException(f"Experiment.submit runs a Pipeline, got {type(config).__name__}.")
        values = config.check_parameters(pipeline_parameters or kwargs.get("pipeline_params"))
        problems = config.validate()
        if problems:
            raise UserErrorException("The pipeline cannot run:\n" + "\n".join(problems))
        dag = config.to_dag(dag_id_from_name(self.name), dag_display_name=self.name)
        conf = {**values, CONF_KEY: {"tags": {k: str(v) for k, v in (tags or {}).items()}}}
        if continue_on_step_failure:
            finished = run_dag(dag, conf)
        else:
            with observing(_StopOnFailure(self.workspace)):
                finished = run_dag(dag, conf)
        run = PipelineRun(self, finished.run_id)
        run.finish("failed" if finished.failed else "success", tags or {}, values)
        return run

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


class _StopOnFailure:
    """Cancels what has not started when a step has failed for good."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def step_changed(self, record: StepRecord) -> None:
        if record.state == "failed" and record.finished:
            reason = f"step {record.name!r} failed"
            cancel_run(self._workspace.record_store(), record.dag_id, record.run_id, reason)

    def step_printed(self, record: StepRecord, stream: str, line: str) -> None:
        pass


class PipelineRun:
    """One run of a pipeline, read from its records. (SDK v1: ``azureml.pipeline.core.PipelineRun``.)"""

    def __init__(self, experiment: Experiment, run_id: str, _dag_id: str | None = None) -> None:
        from mlsteps.pipeline import dag_id_from_name

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
        for record in list_runs(workspace.record_store()):
            if record.run_id == run_id:
                return PipelineRun(Experiment(workspace, record.experiment), run_id, _dag_id=record.dag_id)
        raise WorkspaceException(f"Workspace {workspace.name!r} has no run {run_id!r}.")

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

    def _state(self) -> str | None:
        record = read_run(self._store, self._dag_id, self.id)
        if record is None:
            return None
        canceled = cancel_reason(self._store, self._dag_id, self.id) is not None
        return run_state(record, read_steps(self._store, record), canceled)

    def get_status(self) -> str:
        """``NotStarted``, ``Running``, ``Finished``, ``Failed`` or ``Canceled``."""
        state = self._state()
        return "NotStarted" if state is None else _STATUS[state][0]

    @property
    def status(self) -> str:
        """``NotStarted``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        state = self._state()
        return "NotStarted" if state is None else _STATUS[state][1]

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = float("inf"), raise_on_error: bool = True
    ) -> str:
        """Wait until it is over, and return its status.

        :param show_output: Print each step as it starts and ends.
        :param timeout_seconds: Give up waiting then; the status returned is not a final one.
        :raises ActivityFailedException: it failed, and ``raise_on_error`` is on. Names the steps that did.
        """
        deadline = time.monotonic() + timeout_seconds
        told: dict[str, str] = {}
        while True:
            status = self.get_status()
            for step in self.get_steps() if show_output else ():
                if told.get(step.id) != step.get_status():
                    told[step.id] = step.get_status()
                    print(f"{step.name.strip()}: {step.get_status()}")
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
        picked = _picked(own, name)
        if not recursive:
            return picked
        return {self.id: picked, **{step.id: step.get_metrics(name) for step in steps}}

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

    def cancel(self) -> None:
        """Stop it: steps that have not started will not."""
        cancel_run(self._store, self._dag_id, self.id, "by PipelineRun.cancel()")


class StepRun:
    """One step of a run, read from its record. (SDK v1: ``azureml.pipeline.core.StepRun``.)"""

    def __init__(self, pipeline_run: PipelineRun, record: StepRecord) -> None:
        self._pipeline_run = pipeline_run
        self.record = record
        self._store = pipeline_run.experiment.workspace.record_store()

    def __repr__(self) -> str:
        return f"StepRun({self.name!r}, status={self.get_status()!r})"

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.step_run_id

    @property
    def name(self) -> str:
        """The step's name."""
        return self.record.name

    @property
    def pipeline_run_id(self) -> str:
        """The id of the run it is part of."""
        return self._pipeline_run.id

    @property
    def parent(self) -> PipelineRun:
        """The run it is part of."""
        return self._pipeline_run

    def get_status(self) -> str:
        """``Running``, ``Finished``, ``Failed``, ``Canceled`` or ``Bypassed``."""
        return _STATUS[self.record.state][0]

    @property
    def status(self) -> str:
        """``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        return _STATUS[self.record.state][1]

    def get_metrics(self, name: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """What its script logged."""
        return _picked(dict(self.record.metrics), name)

    def get_tags(self) -> dict[str, Any]:
        """Tags its script set."""
        return dict(self.record.tags)

    def get_outputs(self) -> dict[str, StepRunOutput]:
        """Its outputs by name."""
        return {name: StepRunOutput(self, name) for name in self.record.outputs}

    def get_output(self, name: str) -> StepRunOutput:
        """One output. Raises KeyError."""
        return self.get_outputs()[name]

    def get_output_data(self, name: str) -> PortDataReference:
        """The data of one output. Raises KeyError."""
        if name not in self.record.outputs:
            raise KeyError(
                f"step {self.name!r} has no output {name!r}; "
                f"it has {', '.join(self.record.outputs) or 'none'}"
            )
        return PortDataReference.deserialize(self.record.outputs[name])

    def get_stdout_log(self) -> str:
        """What its script printed."""
        return self._log("stdout.log")

    def get_stderr_log(self) -> str:
        """What its script printed to the error stream."""
        return self._log("stderr.log")

    def get_job_log(self) -> str:
        """Both, the error stream last."""
        return self.get_stdout_log() + self.get_stderr_log()

    def get_file_names(self) -> list[str]:
        """Files that were kept: uploads, ``outputs/...`` and ``logs/...``."""
        return list(self.record.files)

    def download_file(self, name: str, output_file_path: str | None = None) -> None:
        """Copy a kept file to ``output_file_path`` (default: its base name in the working directory)."""
        from pathlib import Path

        if name not in self.record.files:
            raise DataNotFoundException(
                f"Step {self.name!r} kept no file {name!r}; it kept {', '.join(self.record.files) or 'none'}."
            )
        target = Path(output_file_path or Path(name).name)
        self._store.get_file(f"{self.record.try_folder}/files/{name}", target)

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = float("inf"), raise_on_error: bool = True
    ) -> str:
        """Wait until it is over; see :meth:`PipelineRun.wait_for_completion`."""
        from mlsteps.records import read_step

        deadline = time.monotonic() + timeout_seconds
        while not self.record.finished and time.monotonic() < deadline:
            time.sleep(1)
            self.record = read_step(self._store, self.record.folder) or self.record
        if show_output:
            print(self.get_job_log(), end="")
        if self.record.state == "failed" and raise_on_error:
            raise ActivityFailedException(f"Step {self.name!r} failed: {self.record.error}")
        return self.get_status()

    def _log(self, file: str) -> str:
        try:
            return self._store.read(f"{self.record.try_folder}/{file}").decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""


class StepRunOutput:
    """One output of a step that ran. (SDK v1: ``azureml.pipeline.core.StepRunOutput``.)"""

    def __init__(self, step_run: StepRun, name: str) -> None:
        self.step_run = step_run
        self.name = name
        self.pipeline_run_id = step_run.pipeline_run_id

    def get_port_data_reference(self) -> PortDataReference:
        """Its data."""
        return self.step_run.get_output_data(self.name)


def _picked(metrics: dict[str, Any], name: str | None) -> dict[str, Any]:
    return metrics if name is None else {key: value for key, value in metrics.items() if key == name}


def _checked_name(name: object) -> str:
    if isinstance(name, str) and name.strip():
        return name
    raise UserErrorException(f"An experiment needs a name, got {name!r}.")
