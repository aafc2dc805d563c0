"""``mlsteps demo --ui``: the demo on a real Airflow, with its web page, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from mlsteps.cli.demo import DEMO_FILE, require_demo_packages, tell_results
from mlsteps.cli.demo_choices import Place
from mlsteps.cli.demo_workspace import DemoWorkspace, demo_workspace
from mlsteps.cli.examples import examples_folder
from mlsteps.cli.report import report_run
from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.cli.tables import steps_table
from mlsteps.local_airflow import FinishedRun, TaskEnd
from mlsteps.workspace import Workspace

_DAG = DEMO_FILE.removesuffix(".py")


def run_demo_ui(home: Path, port: int, place: Place | None = None) -> int:
    """Start Airflow, trigger the demo there, tell what came of it, and stay until Ctrl-C or SIGTERM."""
    require_demo_packages()
    console = Console(highlight=False, soft_wrap=True)
    with demo_workspace(home, place or Place(), console) as workspace:
        return _run_demo_ui(home, port, workspace, console)


def _run_demo_ui(home: Path, port: int, workspace: DemoWorkspace, console: Console) -> int:
    airflow = StandaloneAirflow(home / "airflow-ui", examples_folder(), port, workspace.environment)
    stop = threading.Event()
    status_at_stop = 130
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _interrupt(stop))
    try:
        with console.status("Starting Airflow (about half a minute)"):
            airflow.start()
        console.print(f"Airflow is at [bold]{airflow.url}[/bold] (no password needed on this machine)")
        with console.status(f"Running {_DAG}") as status:
            airflow.wait_for_dag(_DAG)
            run_id = airflow.trigger(_DAG)
            state = airflow.wait_for_run(
                _DAG, run_id, waiting=lambda: status.update(f"Running {_DAG}: {_progress(airflow, run_id)}")
            )
        tasks = tuple(
            TaskEnd(ti["task_id"], ti["map_index"], ti["task_display_name"], ti["state"], ti["duration"])
            for ti in sorted(airflow.task_instances(_DAG, run_id), key=lambda ti: ti["start_date"] or "~")
        )
        report = report_run(FinishedRun(_DAG, run_id, tasks), Workspace().record_store())
        console.print(steps_table(report))
        if state == "success":
            tell_results(console, report, home, workspace)
        console.print(f"\nThe run: [bold]{airflow.url}/dags/{_DAG}/runs/{escape(run_id)}[/bold]")
        console.print("Trigger it again there with other parameters. Ctrl-C stops Airflow.")
        status_at_stop = 0 if state == "success" else 1
        stop.wait()
    except KeyboardInterrupt:
        pass
    finally:
        with console.status("Stopping Airflow"):
            airflow.stop()
        console.print("Airflow is stopped; everything it did is kept in " + escape(str(home)))
    return status_at_stop


def _interrupt(stop: threading.Event) -> None:
    """The first signal ends the wait, or whatever is under way."""
    if stop.is_set():
        return
    stop.set()
    raise KeyboardInterrupt


def _progress(airflow: StandaloneAirflow, run_id: str) -> str:
    states: list[Any] = [ti["state"] for ti in airflow.task_instances(_DAG, run_id)]
    return f"{states.count('success')} of {len(states)} tasks done"
