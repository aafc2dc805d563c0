"""A step and a BashOperator that run the same script, under one Airflow with its scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.budgets import STEP_LIMIT, Line, Tell
from bench.dag_files import write_dag_file
from bench.processes import median
from mlsteps.cli.standalone import StandaloneAirflow


def step_overhead(folder: Path, rounds: int, tell: Tell, tasks: int = 8) -> list[Line]:
    """What a step that runs ``print(1)`` takes more than a BashOperator that does.

    Runs of both DAGs take turns; the tasks of a run follow one another. The first two rounds start the
    worker processes and are dropped.
    """
    dags = folder / "scheduled"
    write_dag_file(dags, "bash", tasks)
    write_dag_file(dags, "printing", tasks)
    # One worker, so that the worker is warm and no two tasks share the machine.
    settings = {"AIRFLOW__CORE__PARALLELISM": "1", "MLSTEPS_WORKSPACE": str(folder / "scheduled-workspace")}
    durations: dict[str, list[float]] = {"bash": [], "steps": []}
    tell("starting Airflow")
    with StandaloneAirflow(folder / "airflow", dags, environment=settings) as airflow:
        for dag_id in durations:
            airflow.wait_for_dag(dag_id)
        for number in range(rounds + 2):
            count = f"{number - 1} of {rounds}" if number > 1 else "warming up"
            for dag_id in durations:
                tell(f"{dag_id} under the scheduler, {count}")
                taken = _run(airflow, dag_id)
                if number > 1:
                    durations[dag_id] += taken
    bash, steps = median(durations["bash"]), median(durations["steps"])
    return [
        Line(
            "run a step that prints 1",
            f"BashOperator {bash:.2f} s, PythonScriptStep {steps:.2f} s; {len(durations['bash'])} tasks each",
            steps - bash,
            "s",
            STEP_LIMIT,
            dict(durations),
        )
    ]


def _run(airflow: StandaloneAirflow, dag_id: str) -> list[float]:
    run_id = airflow.trigger(dag_id)
    state = airflow.wait_for_run(dag_id, run_id)
    instances: list[dict[str, Any]] = airflow.task_instances(dag_id, run_id)
    if state != "success":
        raise RuntimeError(f"Run {run_id!r} of {dag_id!r} ended as {state}; see {airflow.log}.")
    return [instance["duration"] for instance in instances]
