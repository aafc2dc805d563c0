"""Jobs in pods of a double of a cluster, whose pods are real containers, and Azurite; for the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from compute.jobs import Bench, wait_for
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput, JobOutcome, JobOutput, KubernetesCompute, StepJob
from servers.azurite import blob_store
from servers.docker_engine import DockerEngine
from servers.kubernetes_double import KubernetesDouble, kubernetes_double
from servers.kubernetes_node import Node


class Pods:
    """Jobs in pods."""

    def __init__(
        self, root: Path, azurite: Azurite, engine: DockerEngine, cluster: KubernetesDouble, **settings: Any
    ) -> None:
        given = {"base_image": engine.image, "namespace": "ns", "deferrable": False}
        self.cluster = cluster
        self.target = KubernetesCompute("k8s", **{**given, **settings})
        self.bench = Bench(root, self.target)
        self.store = blob_store(azurite)
        self.store.write("data/a.txt", b"abc")

    def reads(self, name: str, path: str = "data") -> JobInput:
        return JobInput(name, f"$in_{name}", f"IN_{name}", self.store, path, "mount")

    def writes(self, name: str, path: str, **settings: Any) -> JobOutput:
        return replace(self.bench.writes(name, path, **settings), store=self.store)

    def job(self, script: str, *arguments: str, **changes: Any) -> StepJob:
        outputs = changes.pop("outputs", (self.writes("none", f"made/{uuid4()}", create_directory=True),))
        names = {"MLSTEPS_DAG_ID": "dag", "MLSTEPS_TASK_ID": "Task_1", "MLSTEPS_TRY_NUMBER": "1"}
        return self.bench.job(script, *arguments, outputs=outputs, **{"variables": names, **changes})

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        return self.target.run(self.job(script, *arguments, **changes), self.bench.watcher)

    def left(self) -> list[str]:
        """Containers of blobs of jobs that are still there."""
        found = self.store.account.client.list_containers(name_starts_with="mlsteps-job-")
        return [container.name for container in found]

    @property
    def printed(self) -> str:
        return "\n".join(line for name, line in self.bench.lines if name == "stdout")


Make = Callable[..., Pods]


@pytest.fixture(scope="module")
def cluster(docker_engine: DockerEngine) -> Iterator[KubernetesDouble]:
    with kubernetes_double(docker_engine) as running:
        yield running


@pytest.fixture
def pods(
    tmp_path: Path,
    azurite: Azurite,
    docker_engine: DockerEngine,
    cluster: KubernetesDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Make]:
    connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(cluster.kube_config)}}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    cluster.created.clear()
    made: list[Pods] = []

    def make(**settings: Any) -> Pods:
        made.append(Pods(tmp_path, azurite, docker_engine, cluster, **settings))
        return made[-1]

    yield make
    cluster.node.__dict__.update(Node().__dict__)
    cluster.forbidden.clear()
    try:
        wait_for(lambda: not cluster.pod_names())
    finally:  # else one test that fails fails all that follow, each after a while
        for name in cluster.pod_names():
            cluster.delete_pod("ns", name, 0)
    for one in made:
        assert one.left() == [], "something staged was left behind"


# The end of a script that goes on until the test says so.
UNTIL_STOP = """
import os, time
while not os.path.exists("/shared/stop"):
    time.sleep(0.05)
"""


@pytest.fixture
def stop(tmp_path: Path) -> Iterator[Path]:
    """A file that is to be made for scripts to end, in a folder that their pods have as ``/shared``."""
    (tmp_path / "shared").mkdir()
    yield tmp_path / "shared/stop"
    (tmp_path / "shared/stop").touch()


def with_stop(pods: Make, stop: Path, **settings: Any) -> Pods:
    """Jobs whose pods see that file."""
    one = pods(volumes={str(stop.parent): {"claim": "shared", "mount": "/shared"}}, **settings)
    one.cluster.node.claims["shared"] = str(stop.parent)
    return one


def run_beside(one: Pods, script: str, **changes: Any) -> Callable[[], list[JobOutcome]]:
    outcomes: list[JobOutcome] = []
    job = one.job(script, **changes)
    thread = threading.Thread(target=lambda: outcomes.append(one.target.run(job, one.bench.watcher)))
    thread.start()

    def ended() -> list[JobOutcome]:
        thread.join(60)
        assert not thread.is_alive()
        return outcomes

    return ended
