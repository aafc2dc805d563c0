"""Databricks steps in DAGs that really run, on a double of Databricks: the provider's own trigger waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from mlsteps import DatabricksCompute, DatabricksStep, Pipeline, PipelineData, PipelineParameter
from mlsteps.compute.databricks import api
from mlsteps.compute.databricks.running import suspended
from mlsteps.environment import PyPiLibrary
from mlsteps.local_airflow import FinishedRun
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
    databricks.start_seconds = 0.2
    value = "a;b=c 'd' \"e\"\nf"
    finished = run_of(project, {"end": value})
    assert not finished.failed, finished
    assert [path.rpartition(".")[2] for path in waited] == ["DatabricksExecutionTrigger"]
    record = project.record(finished, "transform")
    assert (project.output(record, "clean") / "t").read_text() == f"ABC{value}"
    assert record.where["compute"]["type"] == "databricks"
    assert record.environment["databricks_run_id"] == 101
    (request,) = databricks.submitted
    parameters = request["tasks"][0]["notebook_task"]["base_parameters"]
    assert parameters["end"] == parameters["AML_PARAMETER_end"] == value
    assert states(finished)["tell"] == "success"

    # Neither another name of the run nor other machines make another result.
    again = run_of(project, {"end": value}, num_workers=5, node_type="Standard_E8_v3")
    assert states(again)["transform"] == "skipped", again
    assert len(databricks.submitted) == 1

    databricks.files.put("/Shared/clean", NOTEBOOK.replace("upper", "title"))
    changed = run_of(project, {"end": value})
    assert states(changed)["transform"] == "success"
    assert len(databricks.submitted) == 2
    assert "databricks" in str(project.record(changed, "transform").decision)


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
    from mlsteps.steps.keys import KeyMaker
    from mlsteps.steps.resolving import resolve

    settings = {"num_workers": 1, "notebook_path": "/Shared/clean", "compute_target": "dbx", **changes}
    step = DatabricksStep("k", workspace=project.workspace, **settings)
    return KeyMaker().key_of(resolve(step, project.workspace, {})).key.fingerprint


def test_two_steps_that_differ_in_what_they_run_have_two_keys(
    project: Project, databricks: DatabricksDouble
) -> None:
    """One maker of keys remembers environments for all steps of a pipeline."""
    from mlsteps.steps.keys import KeyMaker
    from mlsteps.steps.resolving import resolve

    maker, keys = KeyMaker(), set()
    for library in ("a==1", "b==1"):
        step = DatabricksStep(
            "k",
            notebook_path="/Shared/clean",
            num_workers=1,
            pypi_libraries=[PyPiLibrary(library)],
            compute_target="dbx",
            workspace=project.workspace,
        )
        keys.add(maker.key_of(resolve(step, project.workspace, {})).key.fingerprint)
    assert len(keys) == 2


def test_a_step_that_fails_there_says_why(project: Project, databricks: DatabricksDouble) -> None:
    databricks.files.put("/Shared/clean", "# Databricks notebook source\nraise ValueError('the reason')")
    finished = run_of(project)
    assert states(finished)["transform"] == "failed"
    record = project.record(finished, "transform")
    assert "ValueError: the reason" in str(record.error)


def test_the_run_of_a_task_that_is_ended_while_nobody_waits_is_canceled(
    project: Project, databricks: DatabricksDouble
) -> None:
    databricks.files.put("/Shared/long", "# Databricks notebook source\nimport time; time.sleep(30)")
    target = DatabricksCompute("dbx", databricks_conn_id="DBX")
    run_id = api.Databricks(target).submit(
        {
            "tasks": [
                {
                    "task_key": "t",
                    "notebook_task": {"notebook_path": "/Shared/long"},
                    "new_cluster": {"spark_version": "15.4.x-scala2.12", "num_workers": 1},
                }
            ]
        }
    )
    waiting = suspended(target, run_id, "page")
    told = {"claim": None}
    trigger = ClaimedTrigger(waiting.trigger, waiting.settings, project.workspace.locator, told)
    json.dumps(trigger.serialize())
    asyncio.run(trigger.on_kill())
    assert databricks.runs[run_id].told()["state"]["result_state"] == "CANCELED"

    async def first() -> TriggerEvent:
        return await anext(aiter(trigger.run()))

    event = asyncio.run(first()).payload
    assert event["suspended"] == told
    assert "CANCELED" in event["event"]["run_state"]
