"""Unchanged pipelines that are run again, under Airflow with its scheduler, beside chains of plain tasks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.dag_files import write_dag_file
from bench.processes import median
from mlsteps.cli.standalone import StandaloneAirflow

# Seconds from trigger to finished, by the number of steps.
RERUN_LIMITS = {10: 2.0, 100: 3.0, 1000: 8.0}
PLAN_LIMIT = 2.0

SHIPPED, QUICK = 1.0, 0.05


@dataclass(frozen=True)
class Finished:
    """A run that is over: seconds from its trigger to its end, and each task's state."""

    seconds: float
    states: Mapping[str, str]

    @property
    def executed(self) -> int:
        """How many tasks a worker was given."""
        return sum(state == "success" for state in self.states.values())


def reruns(
    folder: Path,
    rounds: int,
    tell: Tell,
    sizes: Mapping[int, float] = RERUN_LIMITS,
    plain: Sequence[int] = (10, 100),
) -> list[Line]:
    """What a run takes in which nothing changed, with the scheduler's idle sleep as shipped and short.

    :param plain: Sizes of the chains of BashOperators to compare with; a hundred take two minutes.
    """
    lines = []
    for sleep in (SHIPPED, QUICK):
        lines += _with_sleep(folder / f"sleep-{sleep}", sleep, rounds, tell, sizes, plain)
    return lines


def _with_sleep(
    folder: Path,
    sleep: float,
    rounds: int,
    tell: Tell,
    sizes: Mapping[int, float],
    plain: Sequence[int],
) -> list[Line]:
    dags, workspace = folder / "dags", folder / "workspace"
    for size in sizes:
        write_dag_file(dags / f"steps{size}", "pipeline", size, dag_id=f"steps_{size}")
    for size in plain:
        write_dag_file(dags / f"plain{size}", "bash", size, dag_id=f"plain_{size}")
    settings = {
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": str(sleep),
        "MLSTEPS_WORKSPACE": str(workspace),
    }
    for size in sizes:
        tell(f"laying down results of {size} steps")
        _seed(folder, dags / f"steps{size}" / f"pipeline_{size}.py", workspace)
    durations: dict[str, list[float]] = {}
    tell("starting Airflow")
    with StandaloneAirflow(folder / "airflow", dags, environment=settings) as airflow:
        names = [f"steps_{size}" for size in sizes] + [f"plain_{size}" for size in plain]
        for dag_id in names:
            airflow.wait_for_dag(dag_id)
        for dag_id in ("plain_10", *[names[0]] * 4):  # starts worker processes, whose first task is slow
            run_to_end(airflow, dag_id)
        for number in range(rounds):
            for dag_id in names:
                if dag_id == "plain_100" and number:
                    continue  # takes minutes, and is only for comparison
                tell(f"{dag_id}, idle sleep {sleep} s, {number + 1} of {rounds}")
                finished = run_to_end(airflow, dag_id)
                if dag_id.startswith("steps") and finished.executed != 1:
                    raise RuntimeError(f"{finished.executed} tasks of {dag_id} ran, not the sensor alone")
                durations.setdefault(dag_id, []).append(finished.seconds)
    lines = []
    for size, limit in sizes.items():
        bash = durations.get(f"plain_{size}")
        beside = f"as BashOperators {median(bash):.1f} s; " if bash else ""
        lines.append(
            Line(
                f"run {size} unchanged steps, idle sleep {sleep} s",
                f"{beside}one task runs; {', '.join(f'{s:.1f}' for s in durations[f'steps_{size}'])} s",
                median(durations[f"steps_{size}"]),
                "s",
                limit,
                dict(durations),
            )
        )
    return lines


def planning(folder: Path, rounds: int, tell: Tell, steps: int = 1000) -> list[Line]:
    """Processor seconds that the plan of a pipeline takes, in a process of its own."""
    file = write_dag_file(folder / "plan", "pipeline", steps, dag_id="planned")
    workspace = folder / "plan-workspace"
    tell(f"laying down results of {steps} steps")
    _seed(folder, file, workspace)
    seconds = []
    for number in range(rounds):
        tell(f"planning {steps} steps, {number + 1} of {rounds}")
        seconds.append(float(_python(folder, workspace, "bench.plan_once", str(file)).splitlines()[-1]))
    return [
        Line(
            f"plan {steps} unchanged steps",
            f"processor seconds in the sensor: {', '.join(f'{s:.2f}' for s in seconds)}",
            median(seconds),
            "s",
            PLAN_LIMIT,
        )
    ]


def run_to_end(airflow: StandaloneAirflow, dag_id: str, conf: Mapping[str, Any] | None = None) -> Finished:
    """Trigger a run and wait for it."""
    triggered = time.time()
    run_id = airflow.trigger(dag_id, conf)
    state = airflow.wait_for_run(dag_id, run_id, timeout=600)
    if state != "success":
        raise RuntimeError(f"Run {run_id!r} of {dag_id!r} ended as {state}; see {airflow.log}.")
    run = airflow.dag_run(dag_id, run_id)
    ended = datetime.fromisoformat(run["end_date"].replace("Z", "+00:00")).timestamp()
    states = {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}
    return Finished(ended - triggered, states)


def _seed(folder: Path, file: Path, workspace: Path) -> None:
    _python(folder, workspace, "bench.seeding", str(file))


def _python(folder: Path, workspace: Path, module: str, *arguments: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_", "MLSTEPS_"))}
    settings = {
        "AIRFLOW_HOME": str(folder / "seeding"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "MLSTEPS_WORKSPACE": str(workspace),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], env={**kept, **settings}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
