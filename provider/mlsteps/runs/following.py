"""Follower: prints how a run's steps stand and, where an Airflow runs them, what they log."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.runs.pipeline_run import PipelineRun
    from mlsteps.runs.step_run import StepRun

# How long the end of a task's log may be on its way, and how often it is looked for. Seconds.
_PATIENCE, _PAUSE = 5.0, 0.5


class Follower:
    """Prints what is new, each time it is asked to.

    :param airflow: Where the tasks' logs are; None where the run is of this process, which has shown them.
    """

    def __init__(self, run: PipelineRun, airflow: Any) -> None:
        self._run, self._airflow = run, airflow
        self._told: dict[str, str] = {}
        self._lines: dict[str, Counter[str]] = {}

    def tell(self) -> None:
        """Print states that have changed, and lines that have come."""
        for step in self._run.get_steps():
            before, now = self._told.get(step.id), step.get_status()
            if before in (None, "Running") and step.reused_from is None and self._airflow is not None:
                if now == "Running":
                    self._tell_lines(step)
                else:
                    self._tell_the_rest(step)
            if now != before:
                print(f"{step.name.strip()}: {now}", flush=True)
                self._told[step.id] = now

    def _tell_lines(self, step: StepRun) -> list[str]:
        """Print what is new of a task's log; returns all of it."""
        record = step.record
        lines: list[str] = self._airflow.log(
            record.dag_id, record.run_id, record.task_id, record.map_index, record.try_number
        )
        # Counted and not by their place: lines of several files come in between, and those above, which say
        # where the log is from, are others at each look.
        told, found = self._lines.setdefault(step.id, Counter()), Counter[str]()
        for line in lines:
            found[line] += 1
            if found[line] > told[line]:
                print(f"{step.name.strip()} | {line}", flush=True)
        told |= found
        return lines

    def _tell_the_rest(self, step: StepRun) -> None:
        """Of a step that is over: its record is complete, and its log may come a little later."""
        printed = step.get_job_log().splitlines()
        deadline = time.monotonic() + _PATIENCE
        while True:
            log = "\n".join(self._tell_lines(step))
            if all(line in log for line in printed[-1:]):
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE)
        for line in printed:  # the log is elsewhere, or is not to be had
            print(f"{step.name.strip()} | {line}", flush=True)
