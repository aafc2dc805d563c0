"""Schedules under a real scheduler: by the clock, and by files that are dropped, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.triggerers import another_triggerer, triggerers
from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Datastore,
    Pipeline,
    PipelineParameter,
    PythonScriptStep,
    Schedule,
    ScheduleRecurrence,
    Workspace,
)
from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.data.file_states import file_states
from mlsteps.records.watches import Watch, begin_watch, read_seen

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

COPY = "import sys; print(sys.argv[1], open(sys.argv[2]).read())"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The embedded workspace of an Airflow that is started later."""
    return Workspace(folder=tmp_path_factory.mktemp("airflow") / "mlsteps")


@pytest.fixture(scope="module")
def arrivals(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Schedule:
    source = tmp_path_factory.mktemp("source")
    (source / "copy.py").write_text(COPY)
    store = Datastore(workspace, "workspaceblobstore")
    store.store.write("incoming/before.txt", b"was there")
    data = PipelineParameter("data", DataPath(store, "incoming/before.txt"))
    word = PipelineParameter("word", "default")
    read = PythonScriptStep(
        "copy.py",
        name="read",
        arguments=[word, (data, DataPathComputeBinding())],
        inputs=[(data, DataPathComputeBinding())],
        source_directory=source,
    )
    published = Pipeline(workspace, [read]).publish("reader")
    return Schedule.create(
        workspace,
        "arrivals",
        published.id,
        "from data",
        datastore=store,
        path_on_datastore="incoming",
        polling_interval=1 / 60,
        data_path_parameter_name="data",
        pipeline_parameters={"word": "scheduled"},
    )


@pytest.fixture(scope="module")
def airflow(
    workspace: Workspace, arrivals: Schedule, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandaloneAirflow]:
    folder = Path(workspace.locator.partition(":")[2])
    bundle = {
        "name": "ml",
        "classpath": "mlsteps.bundles.WorkspaceDagBundle",
        "kwargs": {"folder": str(folder), "refresh_interval": 5},
    }
    settings = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    }
    with StandaloneAirflow(folder.parent, tmp_path_factory.mktemp("dags"), environment=settings) as running:
        for dag_id in ("watch.arrivals", "schedule.arrivals"):
            running.wait_for_dag(dag_id)
        yield running


def test_a_dropped_file_starts_one_run_whatever_dies(
    airflow: StandaloneAirflow, workspace: Workspace, arrivals: Schedule
) -> None:
    store = Datastore(workspace, "workspaceblobstore").store
    store.write("incoming/first.txt", b"1")
    (run,) = wait_for_runs(airflow, "schedule.arrivals", 1)
    assert (run["conf"], run["state"]) == ({"data": "workspaceblobstore/incoming/first.txt"}, "success")
    (started,) = arrivals.get_pipeline_runs()
    (step,) = started.get_steps()
    assert step.get_stdout_log().strip() == "scheduled 1"
    assert started.record.experiment == "from data"

    records, watch = workspace.record_store(), Watch("workspaceblobstore", "incoming", 1 / 60).id
    before = read_seen(records, watch)
    assert before is not None and "incoming/first.txt" in before
    store.write("incoming/second.txt", b"2")
    wait_until(lambda: len(runs(airflow, "watch.arrivals")) == 2, 30, "the change was not told")
    for pid in triggerers(airflow):
        os.kill(pid, signal.SIGKILL)
    wait_for_runs(airflow, "watch.arrivals", 2)
    begin_watch(records, watch, before)  # as if the worker had died, too, before it could note what it did
    store.write("incoming/third.txt", b"3")
    store.write("incoming/first.txt", b"again")
    with another_triggerer(airflow):
        wait_for_runs(airflow, "schedule.arrivals", 4)
        wait_until(lambda: read_seen(records, watch) == file_states(store, "incoming"), 30, "not noted")
        wait_for_runs(airflow, "watch.arrivals", 3)
        found = wait_for_runs(airflow, "schedule.arrivals", 4)
    files = sorted(run["conf"]["data"].rpartition("/")[2] for run in found)
    assert files == ["first.txt", "first.txt", "second.txt", "third.txt"]
    assert {run["state"] for run in found} == {"success"}


def test_a_schedule_without_a_start_runs_at_once(
    airflow: StandaloneAirflow, workspace: Workspace, arrivals: Schedule
) -> None:
    assert arrivals.pipeline_id is not None
    hourly = Schedule.create(
        workspace, "hourly", arrivals.pipeline_id, "by the clock", ScheduleRecurrence("Hour", 1)
    )
    airflow.wait_for_dag("schedule.hourly")
    (run,) = wait_for_runs(airflow, "schedule.hourly", 1)
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    last = hourly.get_last_pipeline_run()
    assert last is not None
    assert (last.id, last.experiment.name, last.get_status()) == (
        run["dag_run_id"],
        "by the clock",
        "Finished",
    )
    dag = airflow.get("/api/v2/dags/schedule.hourly")
    assert dag["timetable_description"].startswith("Every hour, first at ")
    assert dag["next_dagrun_run_after"] is not None


def runs(airflow: StandaloneAirflow, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
    return found


def wait_for_runs(airflow: StandaloneAirflow, dag_id: str, count: int) -> list[dict[str, Any]]:
    """A DAG's runs, when there are so many and all are over."""
    wait_until(lambda: len(runs(airflow, dag_id)) >= count, 90, f"{dag_id} did not start")
    for run in runs(airflow, dag_id):
        airflow.wait_for_run(dag_id, run["dag_run_id"])
    return runs(airflow, dag_id)


def wait_until(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)
