"""Endpoints: a name for versions of a pipeline; changed by several at once."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from mlsteps import Pipeline, PipelineEndpoint, PublishedPipeline
from mlsteps.exceptions import UserErrorException, WorkspaceException
from steps.project import Project


def published(project: Project, name: str) -> PublishedPipeline:
    return Pipeline(project.workspace, [project.step(name)]).publish(name)


def test_versions_count_up_and_one_is_the_default(project: Project) -> None:
    one, two = published(project, "one"), published(project, "two")
    endpoint = PipelineEndpoint.publish(project.workspace, "ep", "words", one)
    endpoint.add(two)
    endpoint.add_default(Pipeline(project.workspace, [project.step("three")]))
    assert [one.version for one in endpoint.list_versions()] == ["0", "1", "2"]
    assert [one.version for one in endpoint.get_all_versions()] == ["0", "1", "2"]
    assert [one.pipeline_id for one in endpoint.pipeline_version_list][:2] == [one.id, two.id]
    assert (endpoint.default_version, endpoint.get_pipeline().name) == ("2", "ep")
    assert endpoint.get_pipeline("1").id == two.id
    endpoint.set_default_version("1")
    found = PipelineEndpoint.get(project.workspace, name="ep")
    assert found.get_default_version() == "1"
    found.set_default(one)
    assert endpoint.get_default_version() == "0"
    assert PipelineEndpoint.get(project.workspace, found.id).description == "words"
    two.disable()
    assert [one.name for one in endpoint.list_pipelines()] == ["one", "ep"]
    assert len(endpoint.get_all_pipelines(active_only=False)) == 3
    address = f"/dags/endpoint.ep/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint.id}"
    assert endpoint.endpoint.endswith(address)
    with pytest.raises(UserErrorException, match="no version '9'; it has 0, 1, 2"):
        endpoint.set_default_version("9")
    with pytest.raises(UserErrorException, match="is no version of endpoint 'ep'"):
        endpoint.set_default(published(project, "four"))
    with pytest.raises(UserErrorException, match="takes a Pipeline or PublishedPipeline, got str"):
        endpoint.add("x")  # type: ignore[arg-type]


def test_a_name_is_one_endpoints_until_that_is_archived(project: Project) -> None:
    one = published(project, "one")
    first = PipelineEndpoint.publish(project.workspace, "ep", "", one)
    with pytest.raises(ValueError, match="endpoint called 'ep' already"):
        PipelineEndpoint.publish(project.workspace, "ep", "", one)
    first.archive()
    assert (first.status, first.name == "ep") == ("Disabled", False)
    second = PipelineEndpoint.publish(project.workspace, "ep", "", one)
    assert [found.id for found in PipelineEndpoint.list(project.workspace)] == [second.id]
    with pytest.raises(UserErrorException, match="already"):
        first.reactivate("ep")
    first.reactivate("first")
    assert PipelineEndpoint.get(project.workspace, name="first").status == "Active"
    assert len(PipelineEndpoint.get_all(project.workspace)) == 2
    assert len(PipelineEndpoint.list(project.workspace, max_results=1)) == 1
    first.set_name("renamed")
    with pytest.raises(WorkspaceException, match="no pipeline endpoint 'first'; it has"):
        PipelineEndpoint.get(project.workspace, name="first")
    with pytest.raises(UserErrorException, match="give id or name"):
        PipelineEndpoint.get(project.workspace)


def test_it_runs_its_default_version_or_another(project: Project, airflow_db: Path) -> None:
    endpoint = PipelineEndpoint.publish(project.workspace, "ep", "", published(project, "one"))
    endpoint.add(published(project, "two"))
    assert [step.name for step in endpoint.submit("exp").get_steps()] == ["one"]
    assert [step.name for step in endpoint.submit("exp", pipeline_version="1").get_steps()] == ["two"]
    endpoint.disable()
    with pytest.raises(UserErrorException, match="is disabled"):
        endpoint.submit("exp")
    endpoint.enable()
    assert endpoint.status == "Active"


def test_two_who_add_at_once_both_get_a_version(project: Project) -> None:
    one = published(project, "one")
    PipelineEndpoint.publish(project.workspace, "ep", "", one)
    barrier = threading.Barrier(4)

    def add() -> None:
        endpoint = PipelineEndpoint.get(project.workspace, name="ep")
        barrier.wait()
        for _ in range(5):
            endpoint.add(one)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = PipelineEndpoint.get(project.workspace, name="ep").pipeline_version_list
    assert [version.version for version in versions] == [str(number) for number in range(21)]


def test_of_two_who_want_a_name_one_gets_it(project: Project) -> None:
    one = published(project, "one")
    barrier, got = threading.Barrier(4), []

    def publish() -> None:
        barrier.wait()
        with contextlib.suppress(UserErrorException):
            got.append(PipelineEndpoint.publish(project.workspace, "ep", "", one).id)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [PipelineEndpoint.get(project.workspace, name="ep").id] == got
