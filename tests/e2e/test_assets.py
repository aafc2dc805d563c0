"""What starts DAGs under a real scheduler: steps of another that ran, files, a clock, programs, people."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from e2e.arrivals import MINUTES, finished_runs, runs_of, wait_until
from e2e.submitting import check_words, submit, write
from e2e.trigger_form import TriggerForm, reuse_shown, tasks_shown
from e2e.triggerers import another_triggerer, triggerers
from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Datastore,
    Experiment,
    Model,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PipelineRun,
    PublishedPipeline,
    PythonScriptStep,
    Schedule,
    ScheduleRecurrence,
)
from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.data.file_states import file_states
from mlsteps.records import StepRecord, layout, read_step
from mlsteps.records.watches import Watch, begin_watch, read_seen
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

DAGS = Path(__file__).parent / "asset_dags"
EXAMPLES = Path(__file__).parents[2] / "dags_examples"

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
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example that needs a person."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copy(EXAMPLES / "retrain_weekly.py", folder)
    shutil.copytree(EXAMPLES / "retrain_weekly_src", folder / "retrain_weekly_src")
    return folder


@pytest.fixture(scope="module")
def airflow(
    home: Path, scripts: Path, events: Path, arrivals: Schedule, example: Path, settings: dict[str, str]
) -> Iterator[StandaloneAirflow]:
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    bundles = [
        {
            "name": "dags-folder",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {},
        },
        {"name": "ml", "classpath": "mlsteps.bundles.WorkspaceDagBundle", "kwargs": {"refresh_interval": 5}},
        {
            "name": "examples",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(example)},
        },
    ]
    environment = {
        **settings,
        "TRAIN": str(scripts),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    }
    with StandaloneAirflow(home, DAGS, environment=environment) as running:
        for dag_id in (
            "train",
            "train_green",
            "deploy",
            "deploy_green",
            "watch.arrivals",
            "schedule.arrivals",
            "retrain_weekly",
        ):
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


def test_a_dropped_file_starts_one_run_whatever_dies(
    airflow: StandaloneAirflow, workspace: Workspace, arrivals: Schedule
) -> None:
    store = Datastore(workspace, "workspaceblobstore").store
    store.write("incoming/first.txt", b"1")
    (run,) = finished_runs(airflow, "schedule.arrivals", 1)
    # Beside it OpenLineage tells which run started this one.
    assert (run["conf"]["data"], run["state"]) == ("workspaceblobstore/incoming/first.txt", "success")
    (started,) = arrivals.get_pipeline_runs()
    (step,) = started.get_steps()
    assert step.get_stdout_log().strip() == "scheduled 1"
    assert started.record.experiment == "from data"

    records, watch = workspace.record_store(), Watch("workspaceblobstore", "incoming", MINUTES).id
    before = read_seen(records, watch)
    assert before is not None and "incoming/first.txt" in before
    store.write("incoming/second.txt", b"2")
    wait_until(lambda: len(runs_of(airflow, "watch.arrivals")) == 2, 30, "the change was not told")
    for pid in triggerers(airflow):
        os.kill(pid, signal.SIGKILL)
    finished_runs(airflow, "watch.arrivals", 2)
    begin_watch(records, watch, before)  # as if the worker had died, too, before it could note what it did
    store.write("incoming/third.txt", b"3")
    store.write("incoming/first.txt", b"again")
    with another_triggerer(airflow):
        finished_runs(airflow, "schedule.arrivals", 4)
        wait_until(lambda: read_seen(records, watch) == file_states(store, "incoming"), 30, "not noted")
        finished_runs(airflow, "watch.arrivals", 3)
        found = finished_runs(airflow, "schedule.arrivals", 4)
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
    (run,) = finished_runs(airflow, "schedule.hourly", 1)
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


def test_a_challenger_becomes_the_champion_when_somebody_agrees(
    airflow: StandaloneAirflow, workspace: Workspace
) -> None:
    first = airflow.trigger("retrain_weekly")

    def asked() -> bool:
        found = {task["task_id"]: task["state"] for task in airflow.task_instances("retrain_weekly", first)}
        return found["approve"] in ("deferred", "awaiting_input")

    wait_until(asked, 90, "nobody is asked")
    assert list(workspace.models) == []
    # Airflow takes a task for dead that goes on before its executor has said that it waits, which may be
    # seconds later.
    heard = "state success for task instance TaskInstanceKey(dag_id='retrain_weekly', task_id='approve'"
    wait_until(lambda: heard in airflow.log.read_text(), 60, "the executor does not say that the task waits")
    airflow.answer("retrain_weekly", first, "approve", "Approve")
    assert airflow.wait_for_run("retrain_weekly", first) == "success"
    champion = Model(workspace, "demand")
    with open(champion.download(airflow.home / "here")) as file:
        learned = json.load(file)
    assert learned["slope"] == pytest.approx(3, abs=0.3) and champion.tags == {"rmse": str(learned["rmse"])}

    again = run(airflow, "retrain_weekly")
    ended = states(airflow, "retrain_weekly", again)
    assert ended["keep_champion"] == "success" and ended["approve"] == ended["register"] == "skipped"
    assert record(airflow, "retrain_weekly", again, "train").reused_from["run_id"] == first
    assert [model.version for model in Model.list(workspace)] == [1]


def test_runs_that_are_submitted_go_on_with_their_own_code(
    airflow: StandaloneAirflow, client: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "go"

    def submitted(text: str, value: str) -> PipelineRun:
        return submit(client, tmp_path, gate, text, value)

    first = submitted("old code", "one")
    wait_until(lambda: first.get_status() == "Running", 60, "the first run does not start")
    second = submitted("new code", "two")
    gate.touch()
    assert first.wait_for_completion() == second.wait_for_completion() == "Finished"
    printed = capsys.readouterr().out
    check_words(printed, (first, "old code", "one"), (second, "new code", "two"))
    for run, value in ((first, "one"), (second, "two")):
        assert run.record.parameters["word"] == value and run.get_tags() == {"who": "me"}
        assert run.record.experiment == "by hand"
    assert "tells.py: Finished" in printed
    again = submitted("new code", "two")
    assert again.wait_for_completion(show_output=False) == "Finished"
    (tells,) = again.find_step_run("tells.py")
    assert tells.reused_from is not None and tells.reused_from["run_id"] == second.id
    assert [one.name for one in PublishedPipeline.list(client)].count("by hand") == 2


def test_a_run_that_is_canceled_from_outside_ends_and_starts_nothing_more(
    airflow: StandaloneAirflow, client: Workspace, tmp_path: Path
) -> None:
    write(tmp_path, "sleeps", "import time; time.sleep(120)")
    sleeps = PythonScriptStep("sleeps.py", source_directory=tmp_path / "sleeps")
    after = PythonScriptStep("sleeps.py", name="after", source_directory=tmp_path / "sleeps")
    after.run_after(sleeps)
    run = Experiment(client, "canceled").submit(Pipeline(client, [after]))
    wait_until(lambda: [step.name for step in run.get_steps()] == ["sleeps.py"], 60, "it does not start")
    assert PipelineRun.get(client, run.id).get_status() == "Running"
    run.cancel()
    assert run.wait_for_completion(show_output=False) == "Canceled"
    assert airflow.wait_for_run("published.canceled", run.id) == "failed"
    assert run.find_step_run("after") == []


@pytest.fixture(scope="module")
def form(airflow: StandaloneAirflow, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a DAG that is published, with parameters of every kind that a form can show."""
    scripts = tmp_path_factory.mktemp("forecast")
    for name in ("prepare", "train"):
        write(scripts, name, "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))\n")
    store = Datastore(workspace, "workspaceblobstore")
    store.store.write("sales/2026.csv", b"1,2")
    sales = PipelineParameter(
        "sales", DataPath(store, "sales/2026.csv"), title="Sales", description="What to learn *from*."
    )
    read = (sales, DataPathComputeBinding())
    part = PipelineParameter("part", 1.0, title="Part", minimum=0, maximum=1)
    rate = PipelineParameter("rate", 0.5, title="Learning rate", description="Less is slower.", minimum=0)
    size = PipelineParameter("size", "small", title="Size", choices=["small", "large"])
    rounds = PipelineParameter("rounds", 10, maximum=20)
    deep, note = PipelineParameter("deep", False), PipelineParameter("note", "")
    prepared, model = PipelineData("prepared"), PipelineData("model")
    prepare = PythonScriptStep(
        "prepare.py",
        "prepare",
        arguments=[prepared, read, part],
        inputs=[read],
        outputs=[prepared],
        source_directory=scripts / "prepare",
    )
    train = PythonScriptStep(
        "train.py",
        "train",
        arguments=[model, rate, size, rounds, deep, note],
        inputs=[prepared],
        outputs=[model],
        source_directory=scripts / "train",
    )
    Pipeline(workspace, [prepare, train]).publish("forecast", "Trains the forecast")
    airflow.wait_for_dag("published.forecast")
    return "published.forecast"


def test_somebody_changes_two_fields_of_the_form_and_sees_what_ran_and_why(
    airflow: StandaloneAirflow, form: str, page: Page
) -> None:
    first = run(airflow, form)
    shown = TriggerForm(page, airflow.url, form)
    titles = ["Sales", "Part", "Learning rate", "Size", "rounds", "deep", "note"]
    assert shown.titles() == titles
    assert shown.text("Sales") == "What to learn from.\nA path on a datastore: datastore/path."
    assert (shown.value("Sales"), shown.value("Part")) == ("workspaceblobstore/sales/2026.csv", "1")
    assert shown.text("Learning rate") == "Less is slower.\nAt least 0."
    assert (shown.text("Part"), shown.text("rounds")) == ("From 0 to 1.", "At most 20.")
    assert not shown.field("deep").get_by_role("checkbox").is_checked()

    shown.write("Learning rate", "0.05")
    assert shown.choose("Size", "large") == ["small", "large"]
    run_id = shown.trigger()
    assert airflow.wait_for_run(form, run_id) == "success"
    page.reload()
    assert tasks_shown(page) == {"reuse": "Success", "prepare": "Skipped", "train": "Success"}
    told = reuse_shown(page)
    assert told["prepare"] == ("reused", f"reused from run {first} of {form}: nothing changed")
    outcome, why = told["train"]
    assert outcome == "ran" and why.startswith("re-run: ")
    assert "parameter rate 0.5 -> 0.05" in why and "parameter size small -> large" in why
    output = record(airflow, form, run_id, "train").outputs["model"]
    assert Path(output["url"]).read_text() == "0.05 large 10 False "


def test_the_form_starts_nothing_with_a_value_that_cannot_be(
    airflow: StandaloneAirflow, form: str, page: Page
) -> None:
    before = runs(airflow, form)
    shown = TriggerForm(page, airflow.url, form)
    shown.write("Part", "7")
    assert shown.value("Part") == "1"  # Airflow's form goes back to the nearest one, and says so by that
    shown.write("Sales", "2026.csv")
    problem = shown.refused()
    assert "Invalid input for param sales: '2026.csv'" in problem
    assert "A path on a datastore: datastore/path." in problem
    assert runs(airflow, form) == before


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
