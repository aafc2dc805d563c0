"""What is published, submitted and scheduled while parts of Airflow are killed; and runs for past dates."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from e2e.arrivals import finished_runs, runs_of, schedule_arrivals, wait_until
from e2e.parts import AirflowInParts
from e2e.submitting import check_words, submit, write
from mlsteps import (
    Datastore,
    Experiment,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    Schedule,
    ScheduleRecurrence,
    StepRun,
)
from mlsteps.cli.azurite import Azurite
from mlsteps.workspace import Workspace
from servers.azurite import azurite, free_container
from servers.debian import ServerMissing, skip_or_fail
from servers.postgresql import DATABASE, PASSWORD, USER, postgresql

__all__ = ["azurite"]

SUMS = """
import sys
from mlsteps import Run
Run.get_context().log("day", sys.argv[1])
open(sys.argv[2], "w").write("sum of " + sys.argv[1])
"""

NOTIFIER = """
from airflow.sdk import BaseNotifier

class Note(BaseNotifier):
    def notify(self, context):
        with open({!r}, "a") as file:
            print(context["run_id"], file=file)

note = Note()
"""

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def blobs(azurite: Azurite) -> Iterator[dict[str, str]]:
    """The variable that holds the connection of a storage account, for this process and for Airflow."""
    connection = {"conn_type": "wasb", "extra": {"connection_string": azurite.connection_string}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BLOBS", json.dumps(connection))
        yield {"AIRFLOW_CONN_BLOBS": json.dumps(connection)}


@pytest.fixture(scope="module")
def workspace(home: Path, blobs: dict[str, str]) -> Workspace:
    """One with a datastore on blobs beside its own."""
    folder = home / "mlsteps"
    folder.mkdir()
    drop = {"type": "azure_blob", "conn_id": "BLOBS", "container": free_container()}
    settings = {"datastores": {"drop": {**drop, "create_if_not_exists": True}}}
    (folder / "workspace.yaml").write_text(json.dumps(settings))
    return Workspace(folder=folder)


@pytest.fixture(scope="module")
def arrivals(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Schedule:
    return schedule_arrivals(workspace, tmp_path_factory.mktemp("arrivals"), "drop")


@pytest.fixture(scope="module")
def daily(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Schedule:
    """A schedule whose runs have their day as a parameter, from the day after tomorrow."""
    folder = tmp_path_factory.mktemp("daily")
    write(folder, "sums", SUMS)
    write(folder, "fits", "import sys; open(sys.argv[1], 'w').write('fitted')")
    sums, fitted = (PipelineData(name, pipeline_output_name=name) for name in ("sums", "fitted"))
    pipeline = Pipeline(
        workspace,
        [
            step(folder, "sums", [PipelineParameter("day", "2000-01-01"), sums], [sums]),
            step(folder, "fits", [fitted], [fitted]),
        ],
    )
    return Schedule.create(
        workspace,
        "daily",
        pipeline.publish("daily").id,
        "by day",
        ScheduleRecurrence(
            "Day", 1, start_time=f"{datetime.now(timezone.utc) + timedelta(days=2):%Y-%m-%dT06:00:00}"
        ),
        pipeline_parameters={"day": "{{ ds }}"},
    )


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """PostgreSQL, for what SQLite is not made for: Airflow's scheduler dies where two parts write at once."""
    with ExitStack() as stack:
        try:
            port = stack.enter_context(postgresql())
        except ServerMissing as missing:
            skip_or_fail(missing)
        yield f"postgresql+psycopg2://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{DATABASE}"


@pytest.fixture(scope="module")
def airflow(
    home: Path,
    arrivals: Schedule,
    daily: Schedule,
    settings: dict[str, str],
    database: str,
    blobs: dict[str, str],
) -> Iterator[AirflowInParts]:
    dags = home / "dags"
    dags.mkdir()
    settings_of_bundle = {"refresh_interval": 3, "folder": str(home / "mlsteps")}
    bundles = [
        {"name": "ml", "classpath": "mlsteps.bundles.WorkspaceDagBundle", "kwargs": settings_of_bundle}
    ]
    (home / "plugins").mkdir()
    (home / "plugins" / "telling.py").write_text(NOTIFIER.format(str(home / "told.txt")))
    environment = {
        **settings,
        **blobs,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__MLSTEPS__ON_SUCCESS_CALLBACK": "telling.note",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
    }
    with AirflowInParts(home, dags, environment=environment) as running:
        for dag_id in ("watch.arrivals", "schedule.arrivals", "schedule.daily"):
            running.wait_for_dag(dag_id)
        yield running


def test_a_backfill_runs_what_its_dates_change(airflow: AirflowInParts, daily: Schedule) -> None:
    def backfill(first: int, last: int, behaviour: str) -> None:
        wanted = {
            "dag_id": "schedule.daily",
            "from_date": f"2026-03-{first:02}T00:00:00Z",
            "to_date": f"2026-03-{last:02}T23:00:00Z",
            "max_active_runs": 1,
            "reprocess_behavior": behaviour,
        }
        wait_until(lambda: accepted(airflow, "/api/v2/backfills", wanted), 60, "the backfill is not taken")

    def ended() -> dict[str, dict[str, StepRun]]:
        """The steps of the runs, by date and name."""
        runs = {run.id: run for run in daily.get_pipeline_runs()}
        return {
            told["logical_date"][:10]: {one.name: one for one in runs[told["dag_run_id"]].get_steps()}
            for told in runs_of(airflow, "schedule.daily")
        }

    backfill(2, 3, "none")
    assert {run["state"] for run in finished_runs(airflow, "schedule.daily", 2)} == {"success"}
    found = ended()
    assert sorted(found) == ["2026-03-02", "2026-03-03"]
    for day, steps in found.items():
        assert steps["sums"].get_metrics() == {"day": day}
        assert steps["sums"].record.state == "ran"
    # What is the same for all dates was done for the first.
    assert sorted(steps["fits"].record.state for steps in found.values()) == ["ran", "reused"]

    wait_until(lambda: not active_backfills(airflow), 60, "the backfill does not end")
    backfill(3, 4, "none")
    wait_until(lambda: not active_backfills(airflow), 90, "the backfill does not end")
    found = ended()
    assert sorted(found) == ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert {run["state"] for run in runs_of(airflow, "schedule.daily")} == {"success"}
    assert found["2026-03-04"]["sums"].get_metrics() == {"day": "2026-03-04"}
    assert found["2026-03-04"]["fits"].record.state == "reused"

    told = airflow.home / "told.txt"
    wait_until(lambda: told.exists() and "2026-03-04" in told.read_text(), 60, "the notifier was not asked")


def test_nothing_is_lost_while_parts_of_airflow_are_killed(
    airflow: AirflowInParts,
    workspace: Workspace,
    client: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, gate = Datastore(workspace, "drop").store, tmp_path / "go"
    first = submit(client, tmp_path, gate, "old code", "one", retries=3)
    wait_until(lambda: first.get_status() == "Running", 60, "the first run does not start")

    dag_id = first.record.dag_id

    airflow.kill_part("api-server")
    with ThreadPoolExecutor(1) as beside:
        later = beside.submit(submit, client, tmp_path, gate, "new code", "two", retries=3)
        store.write("incoming/first.txt", b"1")
        time.sleep(3)
        assert not later.done()
        airflow.start_part("api-server")
        second = later.result(120)

    airflow.kill_part("triggerer")
    store.write("incoming/second.txt", b"2")
    airflow.start_part("triggerer")
    airflow.kill_part("scheduler")
    store.write("incoming/third.txt", b"3")
    airflow.start_part("scheduler")
    airflow.kill_part("dag-processor")
    airflow.start_part("dag-processor")
    gate.touch()

    for run in (first, second):
        ended = run.wait_for_completion(raise_on_error=False)
        assert ended == "Finished", airflow.task_instances(dag_id, run.id)
    check_words(capsys.readouterr().out, (first, "old code", "one"), (second, "new code", "two"))
    assert len(list(Experiment(client, "by hand").get_runs())) == 2

    found = finished_runs(airflow, "schedule.arrivals", 3)
    files = sorted(run["conf"]["data"].rpartition("/")[2] for run in found)
    assert files == ["first.txt", "second.txt", "third.txt"]
    assert {run["state"] for run in found} == {"success"}


def accepted(airflow: AirflowInParts, path: str, body: dict[str, Any]) -> bool:
    """Post something, for which Airflow may ask to come again while its database is busy."""
    try:
        airflow.post(path, body)
    except HTTPError as error:
        if error.code != 503:
            raise
        return False
    return True


def active_backfills(airflow: AirflowInParts) -> list[Any]:
    found = airflow.get("/api/v2/backfills?dag_id=schedule.daily")["backfills"]
    return [one for one in found if one["completed_at"] is None]


def step(
    folder: Path, name: str, arguments: list[Any], outputs: list[Any], **further: Any
) -> PythonScriptStep:
    return PythonScriptStep(
        f"{name}.py",
        name=name,
        source_directory=folder / name,
        arguments=arguments,
        outputs=outputs,
        **further,
    )
