"""Live progress of a run on the terminal: steps as they start and end, what they print, then a table."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from mlsteps.cli.tables import STATE_STYLES, one_line_metrics, steps_table
from mlsteps.records import StepRecord
from mlsteps.sensors import ReuseSensor
from mlsteps.steps import PipelineStep

if TYPE_CHECKING:
    from airflow.sdk import DAG

_TASK_STATES = {"success": "ran", "failed": "failed"}
_MARKS = {"ran": "✓", "reused": "↺", "failed": "✗", "canceled": "○", "skipped": "○"}


class Progress:
    """Tells on the error stream what a run does. An observer of steps.

    :param quiet: Leave out what scripts print, because Airflow's own log shows it.
    """

    def __init__(self, dag: DAG, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._dag = dag
        self._quiet = quiet
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(escape(dag.dag_id), total=len(dag.tasks))
        self._told: set[tuple[str, int, str]] = set()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress for as long as the block runs."""
        self.console.print(f"[bold]{escape(self._dag.dag_id)}[/bold]: {len(self._dag.tasks)} tasks")
        with self._bar:
            yield

    def step_changed(self, record: StepRecord) -> None:
        """A line when a step starts, and one when it ends."""
        key = (record.step_run_id, record.map_index, record.state)
        if key in self._told:
            return
        self._told.add(key)
        name = escape(record.name.strip())
        if record.state == "running":
            self._bar.update(self._task, description=name)
            self.console.print(f"[blue]●[/blue] {name}")
            return
        self._bar.advance(self._task)
        style = STATE_STYLES.get(record.state, "")
        mark, seconds = _MARKS.get(record.state, "•"), record.seconds or 0.0
        text = f"[{style}]{mark}[/{style}] {name} {record.state} in {seconds:.1f} s"
        if record.state == "reused":
            text = f"[{style}]{mark}[/{style}] {name} {escape(record.reason)}"
        metrics = one_line_metrics(record.metrics)
        self.console.print(f"{text}  [dim]{escape(metrics)}[/dim]" if metrics else text)
        if record.error:
            # Its further lines repeat what the script has just printed.
            error = record.error if self._quiet else record.error.splitlines()[0]
            self.console.print(escape(error), style="red")
        elif record.state == "canceled":
            self.console.print(escape(record.reason), style="yellow")

    def task_changed(self, event: str, ti: Any, error: object) -> None:
        """The same for tasks that are no steps: Airflow tells of them."""
        if isinstance(ti.task, PipelineStep):
            return
        if isinstance(ti.task, ReuseSensor) and event != "failed":
            if event == "success":  # what it decided is told step by step
                self._bar.advance(self._task)
            return
        name = escape(ti.task.task_display_name)
        if event == "running":
            self.console.print(f"[blue]●[/blue] {name}")
            return
        self._bar.advance(self._task)
        state = _TASK_STATES[event]
        style = STATE_STYLES[state]
        self.console.print(f"[{style}]{_MARKS[state]}[/{style}] {name} {state}")
        if isinstance(error, BaseException):
            self.console.print(escape(_own_traceback(error)), style="red")

    def step_printed(self, record: StepRecord, stream: str, line: str) -> None:
        """A line of a script, with its stream marked."""
        if not self._quiet:
            mark = "dim red" if stream == "stderr" else "dim"
            self.console.print(f"  [{mark}]{stream:>6} │[/{mark}] {escape(line)}")

    def finished(self, report: Mapping[str, Any]) -> None:
        """The table of the run's steps."""
        self.console.print(steps_table(report))
        style = STATE_STYLES["ran" if report["state"] == "success" else report["state"]]
        self.console.print(f"Run {escape(report['run_id'])}: [{style}]{report['state']}[/{style}]")


def _own_traceback(error: BaseException) -> str:
    """The traceback from where it enters the DAG's own code."""
    frame = error.__traceback__
    while frame is not None and "airflow" in frame.tb_frame.f_code.co_filename.split(os.sep):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame)).rstrip()
