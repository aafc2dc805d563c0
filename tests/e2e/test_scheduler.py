"""Steps under a real scheduler: side by side, killed in every way, marked by hand, run again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from e2e.triggerers import another_triggerer, triggerers
from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.records import StepRecord, layout, read_step
from mlsteps.workspace import Workspace
from servers.databricks_double import DatabricksDouble, databricks_double

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

PATIENT = """# Databricks notebook source
import os, time
while not os.path.exists(dbutils.widgets.get("meeting_point") + "/go"):
    time.sleep(0.1)
with open(dbutils.widgets.get(dbutils.widgets.get("output")), "w") as file:
    file.write("done")
"""
DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def workspace(home: Path) -> Path:
    """Where the embedded workspace is, which needs no configuration."""
    return home / "mlsteps"


@pytest.fixture(scope="module")
def databricks(home: Path) -> Iterator[DatabricksDouble]:
    with databricks_double(home / "databricks") as double:
        double.files.put("/Shared/patient", PATIENT)
        yield double


@pytest.fixture(scope="module")
def airflow(
    home: Path, databricks: DatabricksDouble, settings: dict[str, str]
) -> Iterator[StandaloneAirflow]:
    environment = {
        **settings,
        "AIRFLOW_CONN_DBX": databricks.connection,
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        # How soon Airflow notices that a task was marked, and that a worker is gone.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    }
    with StandaloneAirflow(home, DAGS, environment=environment) as running:
        running.wait_for_dag("side_by_side")
        running.wait_for_dag("stubborn")
        running.wait_for_dag("on_databricks")
        yield running


def test_steps_run_side_by_side_and_hand_data_on(airflow: StandaloneAirflow, workspace: Path) -> None:
    run_id = airflow.trigger("side_by_side", {"factor": 5})
    assert airflow.wait_for_run("side_by_side", run_id) == "success"

    records = [record(workspace, "side_by_side", run_id, f"make_{number}") for number in range(3)]
    assert [r.metrics for r in records] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert [r.name for r in records] == ["make 0", "make 1", "make 2"]
    assert all(r.parameters == {"factor": 5} for r in records)
    read = xcom(airflow, "side_by_side", run_id, "read", "return_value")
    assert json.loads(read) == "15" or read == "15"
    assert overlap(records), "steps that need nothing of each other ran one after the other"


def test_a_reference_in_xcom_is_small_and_says_what_it_is(airflow: StandaloneAirflow) -> None:
    run_id = airflow.trigger("side_by_side")
    assert airflow.wait_for_run("side_by_side", run_id) == "success"

    value = xcom(airflow, "side_by_side", run_id, "add", "total")
    assert len(json.dumps(value)) < 2048
    assert "PortDataReference" in json.dumps(value)


def test_the_plugin_is_loaded_without_errors(airflow: StandaloneAirflow) -> None:
    names = [plugin["name"] for plugin in airflow.get("/api/v2/plugins?limit=200")["plugins"]]
    assert "mlsteps" in names
    errors = airflow.get("/api/v2/plugins/importErrors")
    assert not errors.get("import_errors")


@pytest.mark.parametrize("victim", ["task process", "task process and its supervisor", "supervisor alone"])
def test_a_killed_worker_leaves_nothing_behind_and_the_retry_succeeds(
    airflow: StandaloneAirflow, workspace: Path, tmp_path: Path, victim: str
) -> None:
    run_id, pids = start_stubborn(airflow, tmp_path)
    running = record(workspace, "stubborn", run_id, "stay")
    assert running.state == "running"
    task = running.where["pid"]
    supervisor = parent_of(task)
    (tmp_path / "go").touch()

    for pid in {"task process": [task], "supervisor alone": [supervisor]}.get(victim, [supervisor, task]):
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: not alive([*pids, task]), 20, f"still alive: {alive([*pids, task])}")
    assert airflow.wait_for_run("stubborn", run_id, timeout=180) == "success"
    ended = record(workspace, "stubborn", run_id, "stay")
    assert (ended.state, ended.try_number) == ("ran", 2)
    assert ended.outputs["result"]["bytes"] == len("done\n")
    assert Path(ended.outputs["result"]["url"]).read_text() == "done\n"
    assert [origin["try_number"] for origin in results_of(workspace, run_id, "stay")] == [2]
    assert not half_written(workspace)


def test_a_task_marked_failed_is_stopped_and_runs_again_when_it_is_cleared(
    airflow: StandaloneAirflow, workspace: Path, tmp_path: Path
) -> None:
    run_id, pids = start_stubborn(airflow, tmp_path)
    task = record(workspace, "stubborn", run_id, "stay").where["pid"]

    airflow.set_task_state("stubborn", run_id, "stay", "failed")

    wait_until(lambda: not alive([*pids, task]), 30, f"still alive: {alive([*pids, task])}")
    stopped = record(workspace, "stubborn", run_id, "stay")
    assert stopped.state == "failed"
    assert "stopped because its task was" in (stopped.error or "")
    assert stopped.outputs == {}
    assert results_of(workspace, run_id, "stay") == []
    assert airflow.wait_for_run("stubborn", run_id) == "failed"

    (tmp_path / "go").touch()
    airflow.clear("stubborn", run_id, ["stay"])
    wait_until(
        lambda: record(workspace, "stubborn", run_id, "stay").state == "ran",
        60,
        "the cleared step did not run",
    )
    assert airflow.wait_for_run("stubborn", run_id) == "success"
    assert not half_written(workspace)


def test_runs_on_databricks_outlive_a_worker_and_a_triggerer(
    airflow: StandaloneAirflow, workspace: Path, tmp_path: Path, databricks: DatabricksDouble
) -> None:
    run_id = airflow.trigger("on_databricks", {"meeting_point": str(tmp_path)})

    def of(name: str) -> StepRecord:
        return record(workspace, "on_databricks", run_id, name)

    wait_until(lambda: len(databricks.submitted) == 2, 120, "the runs were not started")
    wait_until(lambda: "waits" in of("deferred").where, 30, "the task was not deferred")
    task = of("waited_for").where["pid"]
    for pid in (parent_of(task), task, *triggerers(airflow)):
        os.kill(pid, signal.SIGKILL)
    with another_triggerer(airflow):
        wait_until(lambda: of("waited_for").try_number == 2, 120, "there was no second try")
        (tmp_path / "go").touch()
        assert airflow.wait_for_run("on_databricks", run_id, timeout=180) == "success"
    assert len(databricks.submitted) == 2
    assert (of("waited_for").try_number, of("deferred").try_number) == (2, 1)
    for name in ("waited_for", "deferred"):
        assert Path(of(name).outputs[name]["url"]).read_text() == "done"


def start_stubborn(airflow: StandaloneAirflow, meeting_point: Path) -> tuple[str, list[int]]:
    """Trigger the stubborn DAG; its run id, and the processes of its script once they all run."""
    run_id = airflow.trigger("stubborn", {"meeting_point": str(meeting_point)})
    wait_until((meeting_point / "pids").exists, 90, "the script did not start")
    return run_id, [int(pid) for pid in (meeting_point / "pids").read_text().split()]


def record(workspace: Path, dag_id: str, run_id: str, task_id: str) -> StepRecord:
    store = Workspace(folder=workspace).record_store()
    found = read_step(store, layout.step_folder(dag_id, run_id, task_id))
    assert found is not None
    return found


def results_of(workspace: Path, run_id: str, task_id: str) -> list[dict[str, Any]]:
    """Who made the results that a step of a run left for later runs."""
    origins = [json.loads(file.read_text())["origin"] for file in workspace.rglob("mlsteps/reuse/*/*.json")]
    return [origin for origin in origins if (origin["run_id"], origin["task_id"]) == (run_id, task_id)]


def xcom(airflow: StandaloneAirflow, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
    from urllib.parse import quote

    path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/{key}"
    return airflow.get(path)["value"]


def overlap(records: list[StepRecord]) -> bool:
    """Whether any two of them ran at the same time."""
    spans = sorted((r.started or "", r.ended or "") for r in records)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(pid)
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def half_written(workspace: Path) -> list[Path]:
    """Temporary files that were left, and JSON files that cannot be read."""
    left = [path for path in workspace.rglob("*") if ".mlsteps-tmp-" in path.name]
    for path in workspace.rglob("*.json"):
        if "/scratch/" not in str(path):
            try:
                json.loads(path.read_text())
            except ValueError:
                left.append(path)
    return left


def wait_until(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)
