"""StepRun: one step of a run, read from its record."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.data import PortDataReference
from mlsteps.exceptions import ActivityFailedException, DataNotFoundException
from mlsteps.records import StepRecord, read_step
from mlsteps.records.liveness import settled
from mlsteps.runs.status import STATUS

if TYPE_CHECKING:
    from mlsteps.runs.pipeline_run import PipelineRun


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
        return STATUS[self.record.state][0]

    @property
    def status(self) -> str:
        """``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        return STATUS[self.record.state][1]

    @property
    def reused_from(self) -> dict[str, Any] | None:
        """The try whose result it has: dag_id, run_id, task_id...; None if it ran itself.

        (SDK v1 tells by the properties ``azureml.reusedrunid`` and ``azureml.reusedpipeline``.)
        """
        return dict(self.record.reused_from) or None

    def get_metrics(self, name: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """What its script logged."""
        return picked(dict(self.record.metrics), name)

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
        # Whoever ran it may have called the workspace otherwise; its record lies in this one.
        workspace = self._pipeline_run.experiment.workspace.locator
        return replace(PortDataReference.deserialize(self.record.outputs[name]), workspace=workspace)

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
        self._store.get_file(f"{self.record.kept_folder}/files/{name}", target)

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = float("inf"), raise_on_error: bool = True
    ) -> str:
        """Wait until it is over; see :meth:`PipelineRun.wait_for_completion`."""
        deadline = time.monotonic() + timeout_seconds
        while not self.record.finished and time.monotonic() < deadline:
            time.sleep(1)
            self.record = settled(read_step(self._store, self.record.folder) or self.record)
        if show_output:
            print(self.get_job_log(), end="")
        if self.record.state == "failed" and raise_on_error:
            raise ActivityFailedException(f"Step {self.name!r} failed: {self.record.error}")
        return self.get_status()

    def _log(self, file: str) -> str:
        try:
            return self._store.read(f"{self.record.kept_folder}/{file}").decode("utf-8", errors="replace")
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


def picked(metrics: dict[str, Any], name: str | None) -> dict[str, Any]:
    """All metrics, or only the one of this name."""
    return metrics if name is None else {key: value for key, value in metrics.items() if key == name}
