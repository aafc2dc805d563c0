"""Steps of a DAG in containers of a real engine, and their results on another compute target.

Pods are those of a double of Kubernetes: real containers, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mlsteps import Environment, Pipeline, PipelineData, RunConfiguration
from mlsteps.cli.azurite import Azurite
from mlsteps.local_airflow import FinishedRun
from servers.azurite import azurite, free_container
from servers.docker_engine import DockerEngine
from servers.image_registry import ImageRegistry
from servers.kubernetes_double import KubernetesDouble, kubernetes_double
from steps.project import Project, states

__all__ = ["azurite"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

MAKE = """
    import sys
    from mlsteps.run import Run
    open(sys.argv[1], "w").write("1")
    Run.get_context().log("made", 1)
"""
USE = """
    import sys, six
    open(sys.argv[2], "w").write(open(sys.argv[1]).read() + six.__version__)
"""


@pytest.fixture
def in_containers(project: Project, docker_engine: DockerEngine) -> Project:
    (project.folder / "workspace.yaml").write_text(
        "compute_targets:\n"
        f"  docker: {{type: docker, url: '{docker_engine.url}', base_image: '{docker_engine.image}', "
        "network_mode: none}\n"
        "  local: {type: local}\n"
    )
    return project


@pytest.fixture
def in_pods_too(
    project: Project,
    azurite: Azurite,
    docker_engine: DockerEngine,
    open_registry: ImageRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[KubernetesDouble]:
    """A workspace on blobs with all three."""
    image = docker_engine.image
    settings = {
        "datastores": {
            "blobs": {
                "type": "azure_blob",
                "conn_id": "BLOBS",
                "container": free_container(),
                "create_if_not_exists": True,
            }
        },
        "default_datastore": "blobs",
        "compute_targets": {
            "local": {"type": "local"},
            "docker": {
                "type": "docker",
                "url": docker_engine.url,
                "base_image": image,
                "network_mode": "host",
            },
            "pods": {
                "type": "kubernetes",
                "docker_url": docker_engine.url,
                "base_image": image,
                "push_to": f"{open_registry.host}/pods",
            },
        },
    }
    (project.folder / "workspace.yaml").write_text(json.dumps(settings))
    with kubernetes_double(docker_engine) as cluster:
        kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(cluster.kube_config)}}
        blobs = {"conn_type": "wasb", "extra": {"connection_string": azurite.connection_string}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(kubernetes))
        monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps(blobs))
        yield cluster


def run(project: Project, target: str) -> FinishedRun:
    environment = Environment("packages")
    environment.python.conda_dependencies.set_python_version("3.11")
    environment.python.conda_dependencies.add_pip_package("six==1.16.0")
    configuration = RunConfiguration()
    configuration.environment = environment
    first, second = PipelineData("first"), PipelineData("second")

    def step(name: str, text: str, **ports: Any) -> Any:
        return project.step(name, text, compute_target=target, runconfig=configuration, **ports)

    steps = [
        step("make", MAKE, arguments=[first], outputs=[first]),
        step("use", USE, arguments=[first, second], inputs=[first], outputs=[second]),
    ]
    return project.run(Pipeline(project.workspace, steps=steps).to_dag("containers"))


def test_what_was_made_in_containers_is_reused_on_another_target(in_containers: Project) -> None:
    finished = run(in_containers, "docker")
    assert not finished.failed, finished
    record = in_containers.record(finished, "use")
    assert in_containers.output(record, "second").read_text() == "11.16.0"
    assert record.where["compute"]["type"] == "docker"
    assert record.environment["image"].startswith("mlsteps-env:")
    assert in_containers.record(finished, "make").metrics == {"made": 1}

    again = run(in_containers, "local")
    assert states(again)["make"] == states(again)["use"] == "skipped"
    assert in_containers.record(again, "use").fingerprint == record.fingerprint


@pytest.mark.parametrize("order", [["local", "docker", "pods"], ["pods", "docker", "local"]], ids="-".join)
def test_what_was_made_on_one_target_is_reused_on_all_others(
    project: Project, in_pods_too: KubernetesDouble, order: list[str]
) -> None:
    finished = run(project, order[0])
    assert not finished.failed, finished
    record = project.record(finished, "use")
    assert len(in_pods_too.created) == 2 * (order[0] == "pods")
    for target in order[1:]:
        again = run(project, target)
        assert states(again)["make"] == states(again)["use"] == "skipped", target
        assert project.record(again, "use").fingerprint == record.fingerprint
    assert len(in_pods_too.created) == 2 * (order[0] == "pods")


def test_where_nothing_is_asked_for_the_image_counts(in_containers: Project) -> None:
    def go(target: str) -> FinishedRun:
        out = PipelineData("out")
        step = in_containers.step("make", MAKE, arguments=[out], outputs=[out], compute_target=target)
        return in_containers.run(Pipeline(in_containers.workspace, steps=[step]).to_dag("bare"))

    finished = go("docker")
    assert not finished.failed, finished
    assert in_containers.record(finished, "make").key["environment"]["image"].startswith("sha256:")
    assert states(go("docker"))["make"] == "skipped"
    assert states(go("local"))["make"] == "success"
