"""A schedule that starts a run for each file that arrives, and runs of a standalone Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Datastore,
    Pipeline,
    PipelineParameter,
    PythonScriptStep,
    Schedule,
    Workspace,
)
from mlsteps.cli.standalone import StandaloneAirflow

MINUTES = 1 / 60


def schedule_arrivals(workspace: Workspace, source: Path, datastore: str = "workspaceblobstore") -> Schedule:
    """A schedule that looks at the folder ``incoming``, of a pipeline that prints what a file holds."""
    (source / "tell.py").write_text("import sys; print(sys.argv[1], open(sys.argv[2]).read())")
    store = Datastore(workspace, datastore)
    store.store.write("incoming/before.txt", b"was there")
    data = (PipelineParameter("data", DataPath(store, "incoming/before.txt")), DataPathComputeBinding())
    word = PipelineParameter("word", "default")
    tell = PythonScriptStep("tell.py", arguments=[word, data], inputs=[data], source_directory=source)
    return Schedule.create(
        workspace,
        "arrivals",
        Pipeline(workspace, [tell]).publish("teller").id,
        "from data",
        datastore=store,
        path_on_datastore="incoming",
        polling_interval=MINUTES,
        data_path_parameter_name="data",
        pipeline_parameters={"word": "scheduled"},
    )


def runs_of(airflow: StandaloneAirflow, dag_id: str) -> list[dict[str, Any]]:
    """A DAG's runs, as Airflow tells them."""
    found: list[dict[str, Any]] = airflow.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
    return found


def finished_runs(airflow: StandaloneAirflow, dag_id: str, count: int) -> list[dict[str, Any]]:
    """The same, when there are so many and all are over."""
    wait_until(lambda: len(runs_of(airflow, dag_id)) >= count, 90, f"{dag_id} did not start")
    for run in runs_of(airflow, dag_id):
        airflow.wait_for_run(dag_id, run["dag_run_id"])
    return runs_of(airflow, dag_id)


def wait_until(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)
