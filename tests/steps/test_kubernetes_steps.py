"""Steps in pods for which no worker waits, in a DAG that really runs: the provider's own trigger waits.

The cluster is a double whose pods are real containers; the service is Azurite.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from mlsteps import Datastore, OutputFileDatasetConfig, Pipeline, PipelineData
from mlsteps.cli.azurite import Azurite
from mlsteps.local_airflow import FinishedRun
from mlsteps.triggers import claimed
from mlsteps.triggers.claimed import ClaimedTrigger
from servers.azurite import azurite
from servers.docker_engine import DockerEngine
from servers.kubernetes_double import KubernetesDouble, kubernetes_double
from steps.project import Project, states

__all__ = ["azurite"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

WORKSPACE = """
datastores:
  blobs: {{type: azure_blob, conn_id: BLOBS, container: {container}, create_if_not_exists: true}}
default_datastore: blobs
compute_targets:
  k8s: {{type: kubernetes, base_image: "{image}", namespace: ns}}
default_compute_target: k8s
"""


@pytest.fixture
def cluster(
    project: Project, azurite: Azurite, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesDouble]:
    with kubernetes_double(docker_engine) as running:
        kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(running.kube_config)}}
        blobs = {"conn_type": "wasb", "extra": {"connection_string": azurite.connection_string}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(kubernetes))
        monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps(blobs))
        container = project.root.name.replace("_", "-")[:40]
        (project.folder / "workspace.yaml").write_text(
            WORKSPACE.format(container=container, image=docker_engine.image)
        )
        yield running


def run(project: Project, word: str) -> FinishedRun:
    made = PipelineData("made", datastore=Datastore(project.workspace, "blobs"))
    told = OutputFileDatasetConfig("told")
    first = project.step(
        "make",
        f"import sys; open(sys.argv[1], 'w').write({word!r})",
        arguments=[made],
        outputs=[made],
    )
    second = project.step(
        "tell",
        """
        import os, sys
        text = open(sys.argv[1]).read()
        open(os.path.join(sys.argv[2], "t"), "w").write(text * 2)
        from mlsteps.run import Run
        Run.get_context().log("length", len(text))
        print("told", text)
        """,
        arguments=[made, told],
        inputs=[made],
    )
    return project.run(Pipeline(project.workspace, steps=[first, second]).to_dag("pods"))


def all_gone(cluster: KubernetesDouble) -> None:
    """A deleted pod stays until its containers have ended."""
    end = time.monotonic() + 20
    while cluster.pod_names():
        assert time.monotonic() < end, cluster.pod_names()
        time.sleep(0.1)


def test_steps_run_in_pods_and_unchanged_ones_are_reused(
    project: Project, cluster: KubernetesDouble, azurite: Azurite
) -> None:
    finished = run(project, "abc")
    assert not finished.failed, finished
    assert len(cluster.created) == 2
    all_gone(cluster)
    record = project.record(finished, "tell")
    assert record.state == "ran"
    assert "length" in str(record.metrics)
    assert record.where["compute"]["type"] == "kubernetes"
    store = Datastore(project.workspace, "blobs").store
    assert not [info.path for info in store.list("mlsteps") if b"sig=" in store.read(info.path)]
    texts = [store.read(info.path) for info in store.list() if info.path.endswith("/t")]
    assert texts == [b"abcabc"]
    again = run(project, "abc")
    assert set(states(again).values()) <= {"skipped", "success"} and states(again)["tell"] == "skipped"
    assert len(cluster.created) == 2


def test_a_step_whose_pod_fails_says_why(project: Project, cluster: KubernetesDouble) -> None:
    step = project.step("bad", "import sys; print('the reason', file=sys.stderr); sys.exit(3)")
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("failing"))
    assert finished.failed
    record = project.record(finished, "bad")
    assert record.state == "failed" and "exit code 3" in str(record.error)
    all_gone(cluster)


def test_the_pod_of_a_task_that_is_ended_while_nobody_waits_is_deleted(
    project: Project, cluster: KubernetesDouble, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ClaimedTrigger] = []
    waits = claimed.ClaimedTrigger._waiting

    def end(self: ClaimedTrigger) -> object:
        if not seen:  # as Airflow 3.3 does when somebody marks the task as failed
            seen.append(self)
            asyncio.get_running_loop().create_task(self.on_kill())
        return waits(self)

    monkeypatch.setattr(claimed.ClaimedTrigger, "_waiting", end)
    step = project.step("long", "import time; time.sleep(60)")
    begin = time.monotonic()
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("ended"))
    assert finished.failed and seen
    assert time.monotonic() - begin < 50
    assert "ended from outside" in str(project.record(finished, "long").error)
    all_gone(cluster)
