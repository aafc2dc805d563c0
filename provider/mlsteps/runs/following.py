"""Follower: prints how a run's steps stand and, where an Airflow runs them, what they log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.runs.pipeline_run import PipelineRun
    from mlsteps.runs.step_run import StepRun


class Follower:
    """Prints what is new, each time it is asked to.

    :param airflow: Where the tasks' logs are; None where the run is of this process, which has shown them.
    """

    def __init__(self, run: PipelineRun, airflow: Any) -> None:
        self._run, self._airflow = run, airflow
        self._told: dict[str, str] = {}
        self._lines: dict[str, int] = {}

    def tell(self) -> None:
        """Print states that have changed, and lines that have come."""
        for step in self._run.get_steps():
            before, now = self._told.get(step.id), step.get_status()
            if before in (None, "Running") and step.reused_from is None and self._airflow is not None:
                self._tell_lines(step)
            if now != before:
                print(f"{step.name.strip()}: {now}", flush=True)
                self._told[step.id] = now

    def _tell_lines(self, step: StepRun) -> None:
        record = step.record
        lines = self._airflow.log(
            record.dag_id, record.run_id, record.task_id, record.map_index, record.try_number
        )
        for line in lines[self._lines.get(step.id, 0) :]:
            print(f"{step.name.strip()} | {line}", flush=True)
        self._lines[step.id] = max(len(lines), self._lines.get(step.id, 0))
