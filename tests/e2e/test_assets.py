"""Assets under a real scheduler: a DAG starts when a step of another really ran; OpenLineage hears of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.records import StepRecord, layout, read_step
from mlsteps.workspace import Workspace

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

DAGS = Path(__file__).parent / "asset_dags"

PREPARE = "import sys; open(sys.argv[1], 'w').write('{}')\n"
COPY = "import sys; open(sys.argv[1], 'w').write(open(sys.argv[2]).read())\n"

# How long a run that must not come is waited for; one that has to come takes a second or two.
PATIENCE = 8.0


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for name, text in (("prepare", PREPARE.format("old")), ("train", COPY), ("copy", COPY)):
        write(folder, name, text)
    return folder


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where OpenLineage's events go."""
    return tmp_path_factory.mktemp("openlineage") / "events.jsonl"


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, scripts: Path, events: Path, settings: dict[str, str]
) -> Iterator[StandaloneAirflow]:
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    environment = {
        **settings,
        "TRAIN": str(scripts),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
    }
    with StandaloneAirflow(tmp_path_factory.mktemp("airflow"), DAGS, environment=environment) as running:
        for dag_id in ("train", "train_green", "deploy", "deploy_green"):
            running.wait_for_dag(dag_id)
        yield running


def test_a_dag_starts_when_what_it_waits_for_was_made_anew(airflow: StandaloneAirflow, scripts: Path) -> None:
    first = run(airflow, "train")
    (started,) = wait_for_runs(airflow, "deploy", 1)
    made = record(airflow, "train", first, "train_it").outputs["model"]
    assert xcom(airflow, "deploy", started, "read") == {
        "text": "old",
        "made_by": first,
        "digest": made["digest"],
    }
    copied = record(airflow, "deploy", started, "copies").outputs["copy"]
    assert Path(copied["url"]).read_text() == "old"

    unchanged = run(airflow, "train")
    assert states(airflow, "train", unchanged)["train_it"] == "skipped"
    time.sleep(PATIENCE)
    assert len(runs(airflow, "deploy")) == 1

    write(scripts, "prepare", PREPARE.format("new"))
    changed = run(airflow, "train")
    started = next(found for found in wait_for_runs(airflow, "deploy", 2) if found != started)
    assert xcom(airflow, "deploy", started, "read")["text"] == "new"
    assert xcom(airflow, "deploy", started, "read")["made_by"] == changed


def test_a_step_that_shows_its_reuse_as_success_starts_no_dag_either(
    airflow: StandaloneAirflow, scripts: Path
) -> None:
    write(scripts, "prepare", PREPARE.format("green"))
    made = run(airflow, "train_green")
    wait_for_runs(airflow, "deploy_green", 1)

    unchanged = run(airflow, "train_green")
    for run_id in (made, unchanged):
        assert set(states(airflow, "train_green", run_id).values()) == {"success"}
    time.sleep(PATIENCE)
    assert len(runs(airflow, "deploy_green")) == 1


def test_openlineage_hears_of_the_data_of_steps(
    airflow: StandaloneAirflow, scripts: Path, events: Path
) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    write(scripts, "prepare", PREPARE.format("open"))
    made = record(airflow, "train", run(airflow, "train"), "train_it").outputs["model"]

    def ended(job: str, output: str) -> Any:
        """The event of the task that made an output at this place."""
        told = [json.loads(line) for line in events.read_text().splitlines()]
        found = [e for e in told if e["job"]["name"] == job and e["eventType"] == "COMPLETE"]
        return next((e for e in found if output in [data["name"] for data in e["outputs"]]), None)

    deadline = time.monotonic() + 30
    while (trained := ended("train.train_it", made["url"])) is None:
        assert time.monotonic() < deadline, "OpenLineage has no event of the step"
        time.sleep(0.5)
    (read,), (wrote,) = trained["inputs"], trained["outputs"]
    assert (wrote["namespace"], wrote["facets"]["version"]["datasetVersion"]) == ("file", made["digest"])
    prepared = ended("train.prepare.py", read["name"])
    assert prepared["outputs"][0]["namespace"] == read["namespace"]
    for data in (read, prepared["outputs"][0]):
        assert data["facets"]["symlinks"]["identifiers"][0]["name"] == "output/train/prepare.py/rows"


def write(scripts: Path, name: str, text: str) -> None:
    folder = scripts / name
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)


def run(airflow: StandaloneAirflow, dag_id: str) -> str:
    run_id = airflow.trigger(dag_id)
    assert airflow.wait_for_run(dag_id, run_id) == "success"
    return run_id


def runs(airflow: StandaloneAirflow, dag_id: str) -> list[str]:
    return [found["dag_run_id"] for found in airflow.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]]


def wait_for_runs(airflow: StandaloneAirflow, dag_id: str, count: int) -> list[str]:
    """The ids of a DAG's runs, when there are so many and all are over."""
    deadline = time.monotonic() + 60
    while len(found := runs(airflow, dag_id)) < count:
        assert time.monotonic() < deadline, f"{dag_id} did not start"
        time.sleep(0.3)
    for run_id in found:
        assert airflow.wait_for_run(dag_id, run_id) == "success"
    return found


def states(airflow: StandaloneAirflow, dag_id: str, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}


def xcom(airflow: StandaloneAirflow, dag_id: str, run_id: str, task_id: str) -> Any:
    path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}"
    return airflow.get(f"{path}/xcomEntries/return_value?deserialize=false")["value"]


def record(airflow: StandaloneAirflow, dag_id: str, run_id: str, task_id: str) -> StepRecord:
    store = Workspace(folder=airflow.home / "mlsteps").record_store()
    found = read_step(store, layout.step_folder(dag_id, run_id, task_id))
    assert found is not None
    return found
