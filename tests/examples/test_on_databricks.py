"""The example on Databricks, with a double of that in its place, which runs the code with real Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsteps import Experiment, PipelineRun, Workspace
from mlsteps.compute.databricks import api
from mlsteps.dag_files import load_dags
from mlsteps.local_airflow import run_dag
from mlsteps.records import read_model
from servers.databricks_double import DatabricksDouble, databricks_double

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "transform_on_databricks.py"
WORKSPACE = """
compute_targets:
  databricks: {{type: databricks, databricks_conn_id: DBX, poll_seconds: 0.05, places: {{{folder}: "file://{folder}"}}}}
"""


@pytest.fixture
def databricks(
    airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabricksDouble]:
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(folder))
    (folder / "workspace.yaml").write_text(WORKSPACE.format(folder=folder))
    with databricks_double(tmp_path / "databricks") as double:
        monkeypatch.setenv("AIRFLOW_CONN_DBX", double.connection)
        yield double


@pytest.mark.slow
@pytest.mark.xdist_group("spark")
@pytest.mark.usefixtures("spark")
def test_data_passes_both_ways_and_nothing_is_computed_twice(databricks: DatabricksDouble) -> None:
    (dag,) = load_dags(EXAMPLE)
    finished = run_dag(dag, {"days": 2})
    assert {task.task_id: task.state for task in finished.tasks} == dict.fromkeys(
        ("prepare", "transform", "train"), "success"
    )
    run = PipelineRun(Experiment(Workspace(), finished.dag_id), finished.run_id)
    (transform,) = run.find_step_run("transform")
    metrics = transform.get_metrics()
    assert metrics["hours"] + metrics["left_out"] == 2 * 24 * 3 and metrics["left_out"] > 0
    model = json.load(run.get_pipeline_output("model").open())
    assert model["slope"] == pytest.approx(0.3, abs=0.03)
    assert read_model(Workspace().record_store(), "power") is not None
    (request,) = databricks.submitted
    assert request["tasks"][0]["new_cluster"]["num_workers"] == 0

    again = run_dag(dag, {"days": 2})
    assert {task.state for task in again.tasks if task.task_id != "reuse"} == {"skipped"}
    assert len(databricks.submitted) == 1
