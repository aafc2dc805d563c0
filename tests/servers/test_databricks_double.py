"""The double of Databricks answers as the service does, as far as it goes, and refuses what that has not."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.databricks_double import TOKEN, DatabricksDouble, databricks_double

CLUSTER = {"spark_version": "15.4.x-scala2.12", "num_workers": 1}


@pytest.fixture
def double(tmp_path: Path) -> Iterator[DatabricksDouble]:
    with databricks_double(tmp_path / "databricks") as running:
        yield running


def ask(
    double: DatabricksDouble, method: str, endpoint: str, body: dict[str, Any], token: str = TOKEN
) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{double.server_address[1]}/api/{endpoint}"
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def submit(double: DatabricksDouble, task: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"tasks": [{"task_key": "t", "new_cluster": CLUSTER, **task}], **more}
    return ask(double, "POST", "2.2/jobs/runs/submit", body)


def state_at_the_end(double: DatabricksDouble, run_id: int) -> dict[str, Any]:
    end = time.monotonic() + 10
    while True:
        run = ask(double, "GET", "2.2/jobs/runs/get", {"run_id": run_id})[1]
        if run["state"]["life_cycle_state"] in ("TERMINATED", "INTERNAL_ERROR"):
            state: dict[str, Any] = run["state"]
            return state
        assert time.monotonic() < end
        time.sleep(0.02)


def test_who_has_no_token_gets_nothing(double: DatabricksDouble) -> None:
    assert ask(double, "GET", "2.2/jobs/runs/get", {"run_id": 1}, "other")[0] == 401


def test_a_misspelt_field_is_refused_with_its_place(double: DatabricksDouble) -> None:
    status, answer = submit(double, {"notebook_task": {"notebook_path": "/a", "base_params": {}}})
    assert (status, answer["error_code"]) == (400, "MALFORMED_REQUEST")
    assert "base_params" in answer["message"]
    assert not double.submitted


def test_a_request_that_the_api_has_not_is_refused(double: DatabricksDouble) -> None:
    assert ask(double, "POST", "2.2/jobs/runs/start", {})[0] == 400


def test_one_token_is_one_run(double: DatabricksDouble) -> None:
    double.files.put("/Shared/nb", "# Databricks notebook source\n")
    task = {"notebook_task": {"notebook_path": "/Shared/nb"}}
    ids = [submit(double, task, idempotency_token="x")[1]["run_id"] for _ in range(3)]
    assert ids[0] == ids[1] == ids[2]
    assert state_at_the_end(double, ids[0])["result_state"] == "SUCCESS"
    assert submit(double, task, idempotency_token="x")[1]["run_id"] == ids[0]
    assert submit(double, task)[1]["run_id"] != ids[0]


def test_only_a_tasks_run_has_an_output(double: DatabricksDouble) -> None:
    double.files.put("dbfs:/s.py", "import sys; print(sys.argv[1:])")
    script = {"python_file": "dbfs:/s.py", "parameters": ["a b", "c"]}
    run_id = submit(double, {"spark_python_task": script})[1]["run_id"]
    assert state_at_the_end(double, run_id)["result_state"] == "SUCCESS"
    run = ask(double, "GET", "2.2/jobs/runs/get", {"run_id": run_id})[1]
    assert ask(double, "GET", "2.2/jobs/runs/get-output", {"run_id": run_id})[0] == 400
    output = ask(double, "GET", "2.2/jobs/runs/get-output", {"run_id": run["tasks"][0]["run_id"]})[1]
    assert output["logs"] == "['a b', 'c']\n"


def test_a_widget_that_nobody_gave_is_an_error(double: DatabricksDouble) -> None:
    double.files.put("/Shared/nb", "# Databricks notebook source\ndbutils.widgets.get('x')")
    run_id = submit(double, {"notebook_task": {"notebook_path": "/Shared/nb"}})[1]["run_id"]
    assert state_at_the_end(double, run_id)["result_state"] == "FAILED"


def test_a_jupyter_notebook_runs_cell_by_cell(double: DatabricksDouble) -> None:
    sources = [["x = dbutils.widgets.get('x')\n", "%pip install nothing"], ["dbutils.notebook.exit(x * 2)"]]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    text = {"cell_type": "markdown", "source": ["# no code"]}
    double.files.put("/Shared/nb", json.dumps({"cells": [text, *cells]}))
    task = {"notebook_task": {"notebook_path": "/Shared/nb", "base_parameters": {"x": "ab"}}}
    run_id = submit(double, task)[1]["run_id"]
    assert state_at_the_end(double, run_id)["result_state"] == "SUCCESS"
    output = ask(double, "GET", "2.2/jobs/runs/get-output", {"run_id": run_id + 10_000})[1]
    assert output["notebook_output"] == {"result": "abab"}


def test_what_it_cannot_run_it_says(double: DatabricksDouble) -> None:
    run_id = submit(double, {"spark_jar_task": {"main_class_name": "a.Main"}})[1]["run_id"]
    state = state_at_the_end(double, run_id)
    assert state["life_cycle_state"] == "INTERNAL_ERROR" and "scripts only" in state["state_message"]


def test_all_runs_end_at_once(double: DatabricksDouble) -> None:
    double.start_seconds = 30
    task = {"notebook_task": {"notebook_path": "/Shared/nb"}}
    ids = [submit(double, task)[1]["run_id"] for _ in range(2)]
    assert ask(double, "POST", "2.2/jobs/runs/cancel-all", {"job_id": 1})[0] == 200
    assert {state_at_the_end(double, run_id)["result_state"] for run_id in ids} == {"CANCELED"}


def test_a_file_needs_its_folder_and_is_not_replaced_unasked(double: DatabricksDouble) -> None:
    body = {"path": "/Shared/a/b.py", "format": "RAW", "content": "eA=="}
    assert ask(double, "POST", "2.0/workspace/import", body)[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert ask(double, "POST", "2.0/workspace/mkdirs", {"path": "/Shared/a"})[0] == 200
    assert ask(double, "POST", "2.0/workspace/import", body)[0] == 200
    assert ask(double, "POST", "2.0/workspace/import", body)[1]["error_code"] == "RESOURCE_ALREADY_EXISTS"
    assert ask(double, "POST", "2.0/workspace/import", {**body, "overwrite": True})[0] == 200
    found = ask(double, "GET", "2.0/workspace/export", {"path": "/Shared/a/b.py", "format": "AUTO"})[1]
    assert found["content"] == "eA=="
    assert ask(double, "POST", "2.0/workspace/delete", {"path": "/Shared/a", "recursive": True})[0] == 200
    assert ask(double, "GET", "2.0/workspace/get-status", {"path": "/Shared/a"})[0] == 404
