"""Databricks steps in DAGs that really run, on a double of Databricks: the provider's own trigger waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from mlsteps import DatabricksCompute, DatabricksStep, Pipeline, PipelineData, PipelineParameter
from mlsteps.compute.databricks import api, running
from mlsteps.compute.databricks.running import suspended
from mlsteps.environment import PyPiLibrary
from mlsteps.exceptions import ComputeTargetException
from mlsteps.local_airflow import FinishedRun
from mlsteps.records import read_model
from mlsteps.reuse.compare import compare
from mlsteps.reuse.key import Key
from mlsteps.steps.databricks_link import DatabricksRunLink
from mlsteps.steps.keys import KeyedStep, KeyMaker
from mlsteps.steps.resolving import resolve
from mlsteps.triggers.claimed import ClaimedTrigger
from servers.databricks_double import DatabricksDouble, databricks_double
from steps.project import Project, states

WORKSPACE = """
compute_targets:
  dbx: {{type: databricks, databricks_conn_id: DBX, places: {{{root}: {root}}}, poll_seconds: 0.05}}
"""
NOTEBOOK = """# Databricks notebook source
import os
with open(os.path.join(dbutils.widgets.get("raw"), "t")) as file:
    text = file.read()
# COMMAND ----------
os.makedirs(dbutils.widgets.get("clean"))
with open(dbutils.widgets.get("clean") + "/t", "w") as file:
    file.write(text.upper() + dbutils.widgets.get("end"))
dbutils.notebook.exit(dbutils.widgets.get("AML_PARAMETER_end"))
"""


@pytest.fixture
def databricks(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabricksDouble]:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    (project.folder / "workspace.yaml").write_text(WORKSPACE.format(root=project.root))
    with databricks_double(project.root / "databricks") as double:
        monkeypatch.setenv("AIRFLOW_CONN_DBX", double.connection)
        double.files.put("/Shared/clean", NOTEBOOK)
        yield double


def run_of(project: Project, given: Any = None, word: str = "abc", **changes: Any) -> FinishedRun:
    """Prepare on the worker, transform on Databricks, tell on the worker."""
    raw, clean = PipelineData("raw"), PipelineData("clean")
    end = PipelineParameter("end", default_value="!")
    prepare = project.step(
        "prepare",
        f"import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + '/t', 'w').write({word!r})",
        arguments=[raw],
        outputs=[raw],
    )
    settings = {"num_workers": 1, "pypi_libraries": [PyPiLibrary("numpy==1.26.4")], **changes}
    transform = DatabricksStep(
        "transform",
        inputs=[raw],
        outputs=[clean],
        notebook_path="/Shared/clean",
        notebook_params={"end": end},
        run_name=f"build {word}",
        compute_target="dbx",
        **settings,
    )
    tell = project.step(
        "tell",
        "import sys; print(open(sys.argv[1] + '/t').read())",
        arguments=[clean],
        inputs=[clean],
    )
    pipeline = Pipeline(project.workspace, steps=[prepare, transform, tell])
    return project.run(pipeline.to_dag("dbx"), **(given or {}))


def test_data_passes_both_ways_and_an_unchanged_notebook_is_reused(
    project: Project, databricks: DatabricksDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    waiting = ClaimedTrigger.run
    monkeypatch.setattr(ClaimedTrigger, "run", lambda self: waited.append(self.classpath) or waiting(self))
    pages: list[str] = []
    get_link = DatabricksRunLink.get_link
    monkeypatch.setattr(
        DatabricksRunLink,
        "get_link",
        lambda *given, **key: pages.append(get_link(*given, **key)) or pages[-1],
    )
    databricks.start_seconds = 0.2
    value = "a;b=c 'd' \"e\"\nf"
    finished = run_of(project, {"end": value})
    assert not finished.failed, finished
    assert [path.rpartition(".")[2] for path in waited] == ["DatabricksExecutionTrigger"]
    record = project.record(finished, "transform")
    assert (project.output(record, "clean") / "t").read_text() == f"ABC{value}"
    assert record.where["compute"]["type"] == "databricks"
    assert record.environment["databricks_run_id"] == 101
    assert set(pages) == {record.environment["run_page_url"]}
    (request,) = databricks.submitted
    parameters = request["tasks"][0]["notebook_task"]["base_parameters"]
    assert parameters["end"] == parameters["AML_PARAMETER_end"] == value
    assert states(finished)["tell"] == "success"

    # Neither another name of the run nor other machines make another result.
    again = run_of(project, {"end": value}, num_workers=5, node_type="Standard_E8_v3")
    assert states(again)["transform"] == "skipped", again
    assert len(databricks.submitted) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"spark_version": "14.3.x-scala2.12"},
        {"pypi_libraries": [PyPiLibrary("numpy==2.0.0")]},
        {"spark_conf": {"spark.sql.ansi.enabled": "true"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_can_change_a_result_runs_the_step_again(
    project: Project, databricks: DatabricksDouble, changes: dict[str, Any]
) -> None:
    first, second = (steps_key(project, settings) for settings in ({}, changes))
    assert first != second


def test_what_cannot_change_a_result_is_no_part_of_the_key(
    project: Project, databricks: DatabricksDouble
) -> None:
    databricks.clusters["c"] = {"spark_version": "15.4.x-scala2.12", "node_type_id": "Standard_D3_v2"}
    plain = steps_key(project, {})
    assert plain == steps_key(project, {"run_name": "x", "timeout_seconds": 5, "num_workers": 7})
    assert plain == steps_key(project, {"num_workers": None, "existing_cluster_id": "c"})
    counted = {"cluster_counts": ["spark_version", "node_type"]}
    one, other = (steps_key(project, {**counted, "node_type": node}) for node in ("Standard_A", "Standard_B"))
    assert one != other


def steps_key(project: Project, changes: dict[str, Any]) -> str:
    return keyed(project, changes).key.fingerprint


def keyed(project: Project, changes: dict[str, Any], maker: KeyMaker | None = None) -> KeyedStep:
    settings = {"num_workers": 1, "notebook_path": "/Shared/clean", "compute_target": "dbx", **changes}
    step = DatabricksStep("k", workspace=project.workspace, **settings)
    return (maker or KeyMaker()).key_of(resolve(step, project.workspace, {}))


def test_two_steps_that_differ_in_what_they_run_have_two_keys(
    project: Project, databricks: DatabricksDouble
) -> None:
    """One maker of keys remembers environments for all steps of a pipeline."""
    maker = KeyMaker()
    one, other = (keyed(project, {"pypi_libraries": [PyPiLibrary(name)]}, maker) for name in ("a==1", "b==1"))
    assert one.key != other.key


def test_a_notebook_counts_by_what_is_in_it(project: Project, databricks: DatabricksDouble) -> None:
    before = steps_key(project, {})
    databricks.files.put("/Shared/clean", NOTEBOOK.replace("upper", "title"))
    assert steps_key(project, {}) != before
    databricks.files.put("/Shared/clean", NOTEBOOK)
    assert steps_key(project, {}) == before


def test_a_jupyter_notebook_counts_by_its_source(project: Project, databricks: DatabricksDouble) -> None:
    def notebook(source: str, output: str) -> str:
        cell = {"cell_type": "code", "source": [source], "outputs": [{"text": output}], "metadata": {}}
        return json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})

    databricks.files.put("/Shared/clean", notebook("print(1)", "1"))
    before = steps_key(project, {})
    databricks.files.put("/Shared/clean", notebook("print(1)", "2"))
    assert steps_key(project, {}) == before
    databricks.files.put("/Shared/clean", notebook("print(2)", "2"))
    assert steps_key(project, {}) != before


def test_a_script_counts_by_what_is_in_it(project: Project, databricks: DatabricksDouble) -> None:
    for path in ("dbfs:/s.py", "/Shared/s.py", "/Volumes/a/b/c/s.py"):
        script = {"notebook_path": None, "python_script_path": path}
        databricks.files.put(path, "pass")
        before = steps_key(project, script)
        databricks.files.put(path, "pass # x")
        assert steps_key(project, script) != before
    name = project.script("up.py")
    uploaded = {"notebook_path": None, "python_script_name": name, "source_directory": project.source}
    before = steps_key(project, uploaded)
    project.script("beside.py", "x = 1")
    assert steps_key(project, uploaded) != before
    alone = {**uploaded, "source_files": [name]}
    before = steps_key(project, alone)
    project.script("beside.py", "x = 2")
    assert steps_key(project, alone) == before


def test_a_change_is_told_in_words(project: Project, databricks: DatabricksDouble) -> None:
    def key(**changes: Any) -> Key:
        return keyed(project, {"pypi_libraries": [PyPiLibrary("numpy==1.26.4")], **changes}).key

    def told(after: Key) -> list[str]:
        return [change.in_words() for change in compare(before, after, lambda digest: None)]

    before = key()
    assert told(key(pypi_libraries=[PyPiLibrary("numpy==2.0.0")])) == ["package numpy 1.26.4 -> 2.0.0"]
    assert "spark_version" in told(key(spark_version="14.3.x-scala2.12"))[0]
    secret = key(spark_conf={"fs.azure.account.key.a": "s3cr3t"})
    assert "s3cr3t" not in str(secret.to_plain()) and told(secret)
    databricks.files.put("/Shared/clean", NOTEBOOK + "pass")
    assert "notebook" in told(key())[0]


LOGGED = NOTEBOOK.replace(
    "import os\n",
    """import os, sys
sys.path.append(dbutils.widgets.get("mlsteps_path"))
from mlsteps.run import Run
run = Run.get_context()
run.log("words", 1)
run.parent.tag("by", run.name)
run.upload_file("notes.txt", __file__)
run.register_model("cleaner", "notes.txt")
""",
)


def test_what_a_notebook_logs_is_in_its_record_and_that_of_a_step_that_reuses_it(
    project: Project, databricks: DatabricksDouble
) -> None:
    databricks.files.put("/Shared/clean", LOGGED)
    for finished in (run_of(project), run_of(project)):
        record = project.record(finished, "transform")
        assert record.metrics == {"words": 1}
        assert record.parent_tags == {"by": "transform"}
        assert record.files == ("notes.txt",)
        assert record.models == ("cleaner:1",)
    assert len(databricks.submitted) == 1
    registered = read_model(project.workspace.record_store(), "cleaner")
    assert registered is not None
    assert project.workspace.record_store().read(registered.path).decode() == LOGGED


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_retry_goes_on_with_the_run_of_a_worker_that_died(
    project: Project, databricks: DatabricksDouble, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    died: list[str] = []
    follow = running._follow

    def die_first(*given: Any) -> Any:
        if not died:
            died.append("here")
            raise ComputeTargetException("the worker died")
        return follow(*given)

    monkeypatch.setattr(running, "_follow", die_first)
    patient = {"retries": 1, "retry_delay": timedelta(0), "deferrable": deferrable}
    finished = run_of(project, **patient)
    assert died and not finished.failed, finished
    record = project.record(finished, "transform")
    assert record.try_number == 2 and len(databricks.submitted) == 1
    assert record.environment["started_by"] != record.step_run_id
    assert (project.output(record, "clean") / "t").read_text() == "ABC!"
    assert states(run_of(project))["transform"] == "skipped"
    assert len(databricks.submitted) == 1


def test_a_step_that_fails_there_says_why(project: Project, databricks: DatabricksDouble) -> None:
    databricks.files.put("/Shared/bad", "# Databricks notebook source\nraise ValueError('the reason')")
    step = DatabricksStep("bad", notebook_path="/Shared/bad", num_workers=1, compute_target="dbx")
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("failing"))
    assert finished.failed
    record = project.record(finished, "bad")
    assert "ValueError: the reason" in str(record.error)


def a_run_of(notebook: str) -> dict[str, Any]:
    cluster = {"spark_version": "15.4.x-scala2.12", "num_workers": 1}
    task = {"task_key": "t", "notebook_task": {"notebook_path": notebook}, "new_cluster": cluster}
    return {"tasks": [task]}


def test_the_run_of_a_task_that_is_ended_while_nobody_waits_is_canceled(
    project: Project, databricks: DatabricksDouble
) -> None:
    databricks.files.put("/Shared/long", "# Databricks notebook source\nimport time; time.sleep(30)")
    target = DatabricksCompute("dbx", databricks_conn_id="DBX")
    run_id = api.Databricks(target).submit(a_run_of("/Shared/long"))
    databricks.secrets["amlscope"] = {"mine": "signature", "not mine": "key"}
    secrets = {"databricks_conn_id": "DBX", "secret_scope": "amlscope", "secrets": "mine gone"}
    waiting = suspended(target, run_id, "page", secrets)
    told = {"claim": None}
    locator = project.workspace.locator
    trigger = ClaimedTrigger(waiting.trigger, waiting.settings, locator, told, waiting.staged)
    json.dumps(trigger.serialize())
    asyncio.run(trigger.on_kill())
    assert databricks.secrets == {"amlscope": {"not mine": "key"}}
    assert databricks.runs[run_id].told()["state"]["result_state"] == "CANCELED"

    event = first_event(trigger)
    assert event["suspended"] == told
    assert "CANCELED" in event["event"]["run_state"]


def test_another_triggerer_goes_on_waiting_for_the_same_run(
    project: Project, databricks: DatabricksDouble
) -> None:
    target = DatabricksCompute("dbx", databricks_conn_id="DBX", poll_seconds=0.05)  # type: ignore[arg-type]
    databricks.start_seconds = 0.5
    databricks.files.put("/Shared/short", "# Databricks notebook source\n")
    run_id = api.Databricks(target).submit(a_run_of("/Shared/short"))
    waiting = suspended(target, run_id, "page")
    trigger = ClaimedTrigger(waiting.trigger, waiting.settings, project.workspace.locator, {"claim": None})

    async def die() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(aiter(trigger.run())), 0.2)
        await trigger.cleanup()

    asyncio.run(die())
    classpath, settings = json.loads(json.dumps(trigger.serialize()))
    assert classpath.endswith("ClaimedTrigger")
    assert "SUCCESS" in first_event(ClaimedTrigger(**settings))["event"]["run_state"]
    assert len(databricks.submitted) == 1


def first_event(trigger: ClaimedTrigger) -> Any:
    async def first() -> TriggerEvent:
        return await anext(aiter(trigger.run()))

    return asyncio.run(first()).payload


def test_a_worker_looks_after_a_run_that_the_triggerer_cannot_ask_for(
    project: Project, databricks: DatabricksDouble
) -> None:
    target = DatabricksCompute("dbx", databricks_conn_id="DBX")
    waiting = suspended(target, 12345, "page")
    trigger = ClaimedTrigger(waiting.trigger, waiting.settings, project.workspace.locator, {"claim": None})
    told = first_event(trigger)
    assert told["event"] is None and told["suspended"] == {"claim": None}
