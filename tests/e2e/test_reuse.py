"""Reuse under a real scheduler: what is skipped, what runs, what Airflow's pages and tasks are told."""

from __future__ import annotations

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

DAGS = Path(__file__).parent / "reuse_dags"
NAMES = [f"step_{number}" for number in range(1, 11)]

WORK = """\
import sys
from pathlib import Path

read = "".join(Path(name).read_text() for name in sys.argv[2:])
Path(sys.argv[1]).write_text(read + "{text}")
"""

SLOW = """\
import sys, time
from pathlib import Path

with Path(sys.argv[3]).open("a") as stream:
    stream.write(sys.argv[2] + "\\n")
time.sleep(float(sys.argv[4]))
Path(sys.argv[1]).write_text("slow")
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for name in NAMES:
        write(folder, name, "x")
    (folder / "slow").mkdir()
    (folder / "slow" / "slow.py").write_text(SLOW)
    return folder


@pytest.fixture(scope="module")
def airflow(home: Path, scripts: Path, settings: dict[str, str]) -> Iterator[StandaloneAirflow]:
    with StandaloneAirflow(home, DAGS, environment={**settings, "CHAIN": str(scripts)}) as running:
        for dag_id in ("chain", "shared_one", "shared_two", "long_one", "long_two"):
            running.wait_for_dag(dag_id)
        yield running


def test_a_chain_runs_only_what_its_changes_ask_for(
    airflow: StandaloneAirflow, scripts: Path, home: Path
) -> None:
    first, states = run(airflow, "chain")
    assert states == {"reuse": "success", **dict.fromkeys(NAMES, "success")}

    _, states = run(airflow, "chain")
    assert states == {"reuse": "success", **dict.fromkeys(NAMES, "skipped")}

    write(scripts, "step_6", "y")
    changed, states = run(airflow, "chain")
    assert [name for name in NAMES if states[name] == "success"] == NAMES[5:]
    assert record(home, "chain", changed, "step_10").reason.startswith("re-run: input data_9 changed")
    assert output(record(home, "chain", changed, "step_10"), "data_10") == "xxxxxyxxxx"

    write(scripts, "step_6", "y", comment="# says nothing new")
    _, states = run(airflow, "chain")
    assert [name for name in NAMES if states[name] == "success"] == ["step_6"]

    write(scripts, "step_6", "x")
    reverted, states = run(airflow, "chain")
    assert [name for name in NAMES if states[name] == "success"] == []
    assert record(home, "chain", reverted, "step_10").reused_from["run_id"] == first


def test_a_reused_step_tells_airflow_what_it_was_reused_from(
    airflow: StandaloneAirflow, scripts: Path
) -> None:
    write(scripts, "step_6", "x")
    run(airflow, "chain")
    run_id, states = run(airflow, "chain")
    assert states["step_3"] == "skipped"

    task = f"/api/v2/dags/chain/dagRuns/{quote(run_id, safe='')}/taskInstances/step_3"
    reason = airflow.get(f"{task}/xcomEntries/reuse")["value"]
    assert reason.startswith("reused from run ")
    for key in ("data_3", "return_value"):
        assert "PortDataReference" in str(airflow.get(f"{task}/xcomEntries/{key}")["value"])
    link = airflow.get(f"{task}/links")["extra_links"]["Reused from"]
    assert link.startswith("/dags/chain/runs/")
    assert link.endswith("/tasks/step_3")


def test_a_reused_step_that_is_cleared_really_runs(
    airflow: StandaloneAirflow, scripts: Path, home: Path
) -> None:
    write(scripts, "step_6", "x")
    run(airflow, "chain")
    run_id, states = run(airflow, "chain")
    assert states["step_9"] == "skipped"

    airflow.clear("chain", run_id, ["step_9"])
    deadline = time.monotonic() + 90
    while record(home, "chain", run_id, "step_9").state != "ran":
        assert time.monotonic() < deadline, record(home, "chain", run_id, "step_9")
        time.sleep(0.5)
    assert airflow.wait_for_run("chain", run_id) == "success"
    assert "cleared" in record(home, "chain", run_id, "step_9").reason
    # What came after it was cleared along, and reads what it made now.
    assert states_of(airflow, "chain", run_id)["step_10"] == "success"


def test_forcing_a_step_in_the_trigger_form_runs_that_step(airflow: StandaloneAirflow, scripts: Path) -> None:
    write(scripts, "step_6", "x")
    run(airflow, "chain")
    _, states = run(airflow, "chain", {"regenerate_outputs": ["step_4"]})
    assert [name for name in NAMES if states[name] == "success"] == ["step_4"]


@pytest.mark.parametrize(
    ("dags", "seconds", "gives_its_worker_back"), [("shared", 8, False), ("long", 45, True)]
)
def test_a_run_waits_for_another_that_computes_the_same(
    airflow: StandaloneAirflow,
    scripts: Path,
    home: Path,
    dags: str,
    seconds: int,
    gives_its_worker_back: bool,
) -> None:
    runs = scripts / f"slow-runs-{seconds}"
    one = airflow.trigger(f"{dags}_one")
    deadline = time.monotonic() + 60
    while not runs.exists():
        assert time.monotonic() < deadline, "the slow step did not start"
        time.sleep(0.1)
    two = airflow.trigger(f"{dags}_two")

    seen = set()

    def look() -> None:
        seen.add(states_of(airflow, f"{dags}_two", two)["reuse"])

    assert airflow.wait_for_run(f"{dags}_two", two, waiting=look) == "success"
    assert airflow.wait_for_run(f"{dags}_one", one) == "success"
    assert ("up_for_reschedule" in seen) == gives_its_worker_back
    assert runs.read_text() == "1\n"
    assert record(home, f"{dags}_one", one, "slow").state == "ran"
    waited = record(home, f"{dags}_two", two, "slow")
    assert (waited.state, waited.reused_from["run_id"]) == ("reused", one)
    assert states_of(airflow, f"{dags}_two", two) == {"reuse": "success", "slow": "skipped"}
    left = [path for path in (home / "mlsteps").rglob("*") if path.parent.name == "claims"]
    assert left == []


def write(scripts: Path, name: str, text: str, comment: str = "") -> None:
    folder = scripts / name
    folder.mkdir(exist_ok=True)
    (folder / "work.py").write_text(WORK.format(text=text) + comment)


def run(
    airflow: StandaloneAirflow, dag_id: str, conf: dict[str, Any] | None = None
) -> tuple[str, dict[str, str]]:
    """Run a DAG to its end; its run's id, and its tasks' states."""
    run_id = airflow.trigger(dag_id, conf)
    assert airflow.wait_for_run(dag_id, run_id) == "success"
    return run_id, states_of(airflow, dag_id, run_id)


def states_of(airflow: StandaloneAirflow, dag_id: str, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}


def record(home: Path, dag_id: str, run_id: str, task_id: str) -> StepRecord:
    store = Workspace(folder=home / "mlsteps").record_store()
    found = read_step(store, layout.step_folder(dag_id, run_id, task_id))
    assert found is not None
    return found


def output(step: StepRecord, name: str) -> str:
    return Path(step.outputs[name]["url"]).read_text()
