"""Runs of published pipelines, started by clients that were written for SDK v1's service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from mlsteps import Pipeline, PipelineEndpoint, PublishedPipeline
from steps.project import Project

Header = Callable[[str], dict[str, str]]
Show = Callable[[], None]


@pytest.fixture
def published(pipeline: Pipeline, shown: Show) -> PublishedPipeline:
    published = pipeline.publish(f"forecast-{uuid4().hex[:6]}", version="1.0")
    shown()
    return published


def dag_of(published: PublishedPipeline) -> str:
    """Airflow's address of its DAG."""
    return f"/api/v2/dags/published.{published.name}"


def run_of(client: Any, token: Header, answer: dict[str, Any]) -> dict[str, Any]:
    """The run as Airflow has it."""
    path = f"/api/v2/dags/{answer['DagId']}/dagRuns/{answer['Id']}"
    found: dict[str, Any] = client.get(path, headers=token("admin")).json()
    return found


@pytest.mark.smoke
def test_a_client_of_sdk_v1_changes_nothing_but_address_and_token(
    client: Any, token: Header, published: PublishedPipeline
) -> None:
    body = {
        "ExperimentName": "nightly",
        "Description": "by hand",
        "RunSource": "SDK",
        "ParameterAssignments": {"rows": "20", "rate": "1", "full": "True", "label": "a b"},
        "DataPathAssignments": {"path": {"DataStoreName": "workspaceblobstore", "RelativePath": "new/"}},
        "DataSetDefinitionValueAssignments": {"data": {"DataSetReference": {"Name": "table", "Version": 1}}},
        "ContinueRunOnStepFailure": False,
        "tags": {"who": "me"},
        "Properties": {"build": "7"},
    }
    response = client.post(f"{published.endpoint}?parentRunId=p-1", headers=token("user"), json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["Status"]["StatusCode"] == "NotStarted" and answer["RunHistoryExperimentName"] == "nightly"
    assert answer["PipelineId"] == published.id and answer["tags"] == {"who": "me"}
    values = {
        "rows": 20,
        "rate": 1.0,
        "full": True,
        "label": "a b",
        "path": "workspaceblobstore/new",
        "data": "table:1",
    }
    assert answer["ParameterAssignments"] == values
    run = run_of(client, token, answer)
    conf = dict(run["conf"])
    assert conf.pop("mlsteps") == {
        "experiment": "nightly",
        "description": "by hand",
        "tags": {"who": "me"},
        "properties": {
            "build": "7",
            "RunSource": "SDK",
            "PipelineId": published.id,
            "ParentRunId": "p-1",
        },
        "continue_on_step_failure": False,
    }
    assert conf == values and type(conf["rate"]) is float
    assert run["note"] == "by hand" and run["run_type"] == "manual"
    assert run["triggering_user_name"] == "a user"

    path = urlsplit(published.endpoint).path.partition("/PipelineSubmit/")[0]
    again = client.get(f"{path}/{answer['Id']}", headers=token("viewer"))
    assert again.json() == answer


def test_an_endpoint_runs_its_default_version(
    client: Any, token: Header, pipeline: Pipeline, shown: Show, project: Project
) -> None:
    endpoint = PipelineEndpoint.publish(project.workspace, "in use", "", pipeline)
    shown()
    first = client.post(endpoint.endpoint, headers=token("user"), json={"ExperimentName": "e"}).json()
    newer = pipeline.publish("newer")
    endpoint.add_default(newer)
    shown()
    second = client.post(endpoint.endpoint, headers=token("user"), json={}).json()
    assert first["PipelineEndpointId"] == second["PipelineEndpointId"] == endpoint.id
    assert first["PipelineId"] != second["PipelineId"] == newer.id
    assert second["ParameterAssignments"] == {}


def test_only_who_may_trigger_the_dag_starts_a_run(
    client: Any, token: Header, published: PublishedPipeline
) -> None:
    nobody = client.post(published.endpoint, json={})
    assert nobody.status_code == 401 and nobody.headers["www-authenticate"] == "Bearer"
    assert nobody.json()["error"]["code"] == "Unauthorized"
    other = client.post(published.endpoint, headers={"Authorization": "Bearer x.y.z"}, json={})
    assert other.status_code in (401, 403)
    viewer = client.post(published.endpoint, headers=token("viewer"), json={})
    assert viewer.status_code == 403 and viewer.json()["error"]["code"] == "Forbidden"
    assert client.get(f"{dag_of(published)}/dagRuns", headers=token("admin")).json()["dag_runs"] == []


def test_a_browser_that_is_logged_in_starts_nothing_for_another_page(
    client: Any, token: Header, published: PublishedPipeline
) -> None:
    client.cookies.set("_token", token("admin")["Authorization"].partition(" ")[2])
    assert client.get(dag_of(published)).status_code == 200  # the cookie is good
    forged = client.post(published.endpoint, content="{}", headers={"Content-Type": "text/plain"})
    assert forged.status_code in (401, 415)
    assert client.post(published.endpoint, json={}).status_code == 401


WRONG = {
    "ParameterAssignments.nothing": {"ParameterAssignments": {"nothing": "1"}},
    "ParameterAssignments.rows": {"ParameterAssignments": {"rows": "ten"}},
    "ParameterAssignments.rate": {"ParameterAssignments": {"rate": "nan"}},
    "ParameterAssignments.full": {"ParameterAssignments": {"full": "yes please"}},
    "ParameterAssignments.data": {"ParameterAssignments": {"data": 1}},
    "DataPathAssignments.rows": {"DataPathAssignments": {"rows": {"DataStoreName": "a"}}},
    "DataPathAssignments.path.DataStoreName": {"DataPathAssignments": {"path": {"RelativePath": "a"}}},
    "DataPathAssignments.path": {
        "ParameterAssignments": {"path": "a/b"},
        "DataPathAssignments": {"path": {"DataStoreName": "a"}},
    },
    "DataSetDefinitionValueAssignments.data": {"DataSetDefinitionValueAssignments": {"data": {}}},
    "DataSetDefinitionValueAssignments.path": {
        "DataSetDefinitionValueAssignments": {"path": {"SavedDataSetReference": {"Id": "i"}}}
    },
    "ExperimentName": {"ExperimentName": ""},
    "ContinueRunOnStepFailure": {"ContinueRunOnStepFailure": "no"},
    "tags": {"tags": "a"},
    "StepTags": {"StepTags": {}},
}


@pytest.mark.parametrize("target", WRONG)
def test_what_is_wrong_is_named(
    client: Any, token: Header, published: PublishedPipeline, target: str
) -> None:
    response = client.post(published.endpoint, headers=token("user"), json=WRONG[target])
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["target"] == target and error["code"] == "UserError"
    assert target.rpartition(".")[2] in error["message"]


def test_the_case_of_names_does_not_count(client: Any, token: Header, published: PublishedPipeline) -> None:
    body = {"experimentName": "e", "parameterassignments": {"rows": 3}}
    response = client.post(published.endpoint, headers=token("user"), json=body)
    assert response.json()["ParameterAssignments"] == {"rows": 3}
    twice = client.post(published.endpoint, headers=token("user"), json={"Tags": {}, "tags": {}})
    assert twice.status_code == 400 and "tags is given twice" in twice.text


def test_bodies_that_are_no_json(client: Any, token: Header, published: PublishedPipeline) -> None:
    header = {**token("user"), "Content-Type": "application/json"}
    assert client.post(published.endpoint, headers=header, content="{").status_code == 400
    assert client.post(published.endpoint, headers=header, content="[]").status_code == 400
    form = client.post(published.endpoint, headers=token("user"), data={"ExperimentName": "e"})
    assert form.status_code == 415 and "application/json" in form.text
    query = client.post(f"{published.endpoint}?pipelineVersion=1", headers=token("user"), json={})
    assert query.status_code == 400 and "parentRunId" in query.text


def test_publications_that_no_dag_runs(
    client: Any, token: Header, pipeline: Pipeline, published: PublishedPipeline, shown: Show
) -> None:
    newer = pipeline.publish(published.name, version="1.1")
    early = client.post(newer.endpoint, headers=token("user"), json={})
    assert early.status_code == 409 and "in a moment" in early.text
    shown()
    assert client.post(newer.endpoint, headers=token("user"), json={}).status_code == 200
    late = client.post(published.endpoint, headers=token("user"), json={})
    assert late.status_code == 409 and newer.id in late.text
    unknown = client.post(newer.endpoint.replace("forecast", "other"), headers=token("user"), json={})
    assert unknown.status_code == 404 and unknown.json()["error"]["code"] == "NotFound"


def test_a_paused_dag_runs_nothing(client: Any, token: Header, published: PublishedPipeline) -> None:
    client.patch(dag_of(published), headers=token("admin"), json={"is_paused": True})
    response = client.post(published.endpoint, headers=token("user"), json={})
    assert response.status_code == 409 and "is paused" in response.text


def test_the_same_by_airflows_own_address(client: Any, token: Header, published: PublishedPipeline) -> None:
    body = {"logical_date": None, "conf": {"rows": 20}}
    path = f"{dag_of(published)}/dagRuns"
    assert client.post(path, headers=token("user"), json=body).status_code == 200
    wrong = client.post(path, headers=token("user"), json={**body, "conf": {"rows": "20"}})
    assert wrong.status_code == 400 and "rows" in wrong.text


def test_what_is_not_served(client: Any, token: Header) -> None:
    for method, path, status in (
        ("GET", "/mlsteps/v1.0/dags/d/PipelineRuns/PipelineSubmit/i", 405),
        ("GET", "/mlsteps/nothing", 404),
    ):
        response = client.request(method, path, headers=token("user"))
        assert (response.status_code, response.json()["error"]["code"]) == (
            status,
            "NotFound" if status == 404 else "MethodNotAllowed",
        )
    missing = client.get("/mlsteps/v1.0/dags/d/PipelineRuns/r", headers=token("user"))
    assert missing.status_code == 404
