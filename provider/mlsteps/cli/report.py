"""RunReport: what ``mlsteps run --json`` says of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.records import StepRecord, cancel_reason, parent_metric_events, read_run, read_steps
from mlsteps.run import values
from mlsteps.run.metrics import aggregate

if TYPE_CHECKING:
    from mlsteps.local_airflow import FinishedRun, TaskEnd
    from mlsteps.records import RecordStore

# Airflow's words for tasks that are no steps, and for steps that never got as far as a record.
_TASK_STATES = {"success": "ran", "failed": "failed", "skipped": "skipped"}


@dataclass(frozen=True)
class RunReport:
    """One run, or several of one file, as plain JSON."""

    runs: tuple[dict[str, Any], ...]

    @property
    def succeeded(self) -> bool:
        """Whether every run did."""
        return all(run["state"] == "success" for run in self.runs)

    def to_json(self) -> str:
        """One line. Of several runs one object with all their steps, and each of them under ``runs``."""
        if len(self.runs) == 1:
            return values.dumps(self.runs[0])
        worst = next((r["state"] for r in self.runs if r["state"] != "success"), "success")
        steps = [{"dag_id": run["dag_id"], **step} for run in self.runs for step in run["steps"]]
        return values.dumps(
            {"run_id": self.runs[-1]["run_id"], "state": worst, "steps": steps, "runs": list(self.runs)}
        )


def report_run(finished: FinishedRun, store: RecordStore) -> dict[str, Any]:
    """A finished run: every task of the DAG, with what its record says where it is a step."""
    record = read_run(store, finished.dag_id, finished.run_id)
    steps = read_steps(store, record) if record else []
    canceled = cancel_reason(store, finished.dag_id, finished.run_id)
    state = "failed" if finished.failed else "success" if canceled is None else "canceled"
    return {
        "run_id": finished.run_id,
        "dag_id": finished.dag_id,
        "state": state,
        "metrics": aggregate(dict(event) for event in parent_metric_events(steps)),
        "steps": [report_task(task, steps) for task in finished.tasks],
    }


def report_task(task: TaskEnd, steps: Sequence[StepRecord]) -> dict[str, Any]:
    """One task; ``name``, ``state``, ``reason``, ``seconds``, ``exit_code``, ``outputs`` and ``metrics``."""
    record = next((s for s in steps if (s.task_id, s.map_index) == (task.task_id, task.map_index)), None)
    if record is None:
        state = _TASK_STATES.get(task.state or "", "not_started")
        reason = "a step before it failed" if task.state == "upstream_failed" else ""
        return {
            "name": task.name,
            "task_id": task.task_id,
            "state": state,
            "reason": reason,
            "seconds": task.seconds,
            "exit_code": None,
            "outputs": {},
            "metrics": {},
        }
    return {
        "name": record.name,
        "task_id": record.task_id,
        "state": "skipped" if record.state == "canceled" else record.state,
        "reason": record.error or record.reason,
        "seconds": record.seconds,
        "exit_code": record.exit_code,
        "outputs": {name: output["url"] for name, output in record.outputs.items()},
        "metrics": dict(record.metrics),
    }
