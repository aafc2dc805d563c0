"""Steps in pods for which no worker waits, in a DAG that really runs: the provider's own trigger waits.

The cluster is a double whose pods are real containers; the service is Azurite.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from mlsteps import Datastore, OutputFileDatasetConfig, Pipeline, PipelineData
from mlsteps.cli.azurite import Azurite
from mlsteps.compat import TaskDeferralError, TaskDeferralTimeout
from mlsteps.local_airflow import FinishedRun
from mlsteps.steps.base import PipelineStep
from mlsteps.triggers import claimed, pod_lines
from mlsteps.triggers.claimed import ClaimedTrigger
from mlsteps.triggers.pods import PodTrigger
from servers.azurite import azurite, blob_store, free_container
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
        container = free_container()
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
        print("told", text, flush=True)
        import time
        time.sleep(1)
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
    project: Project, cluster: KubernetesDouble, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    live: list[str] = []
    monkeypatch.setattr(pod_lines, "_SECONDS", 0.2)
    monkeypatch.setattr(PodTrigger, "_tell", lambda _, line: live.append(line))
    finished = run(project, "abc")
    assert not finished.failed, finished
    assert len(cluster.created) == 2
    assert live.count("told abc") == 1
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


def nothing_is_staged(azurite: Azurite) -> bool:
    store = blob_store(azurite)
    return not list(store.account.client.list_containers(name_starts_with="mlsteps-job-"))


def test_nothing_is_left_of_a_task_that_is_ended_while_nobody_waits(
    project: Project, cluster: KubernetesDouble, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ClaimedTrigger] = []
    first = claimed.ClaimedTrigger._first_event

    async def end(self: ClaimedTrigger) -> object:
        seen.append(ClaimedTrigger(**self.serialize()[1]))  # as another triggerer would have it
        await seen[-1].on_kill()  # as Airflow 3.3 does when somebody marks the task as failed, or clears it
        assert nothing_is_staged(azurite)
        return await first(self)

    monkeypatch.setattr(claimed.ClaimedTrigger, "_first_event", end)
    out = PipelineData("out")
    step = project.step("long", "import time; time.sleep(60)", outputs=[out], arguments=[out])
    begin = time.monotonic()
    # A real Airflow asks nobody any more; a worker that is asked all the same starts no second pod.
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("ended"))
    assert finished.failed and len(seen) == 1
    assert time.monotonic() - begin < 50
    record = project.record(finished, "long")
    assert "ended from outside" in str(record.error) and not record.outputs
    all_gone(cluster)
    assert len(cluster.created) == 1
    assert nothing_is_staged(azurite)


LONG_AT_FIRST = """
    import os, time
    if os.environ["MLSTEPS_TRY_NUMBER"] == "1":
        time.sleep(100)
"""


def test_execution_timeout_is_over_all_parts_of_a_try_and_the_next_try_has_its_own(
    project: Project, cluster: KubernetesDouble, azurite: Azurite
) -> None:
    limit = timedelta(seconds=20)
    settings = {"execution_timeout": limit, "retries": 1, "retry_delay": timedelta(0)}
    step = project.step("slow", LONG_AT_FIRST, **settings)
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("slow"))
    assert not finished.failed
    from mlsteps.records import layout
    from mlsteps.records.step import read_tries

    folder = layout.step_folder(finished.dag_id, finished.run_id, "slow", -1)
    second, first = read_tries(project.workspace.record_store(), folder)
    assert (first.state, second.state) == ("failed", "ran")
    assert "took longer than 20 seconds, which is all that its execution_timeout" in str(first.error)
    assert first.seconds is not None and 15 < first.seconds < 35
    # Should Airflow itself be gone, the cluster ends it.
    assert [pod["spec"]["activeDeadlineSeconds"] for pod in cluster.created] == [140, 140]
    all_gone(cluster)
    assert nothing_is_staged(azurite)


@pytest.mark.parametrize("overdue", [False, True])
def test_a_worker_goes_on_where_the_wait_has_failed(
    project: Project,
    cluster: KubernetesDouble,
    azurite: Azurite,
    monkeypatch: pytest.MonkeyPatch,
    overdue: bool,
) -> None:
    """As where the triggerer lacks a package, or there was none until Airflow's own timeout."""
    kind = TaskDeferralTimeout if overdue else TaskDeferralError

    def lost(self: object, context: object, event: object) -> None:
        raise kind("what Airflow says")

    async def not_waited(self: ClaimedTrigger) -> object:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(PipelineStep, "resume", lost)
    monkeypatch.setattr(claimed.ClaimedTrigger, "_first_event", not_waited)
    seconds = 60 if overdue else 1
    step = project.step("left", f"import time; time.sleep({seconds})", execution_timeout=timedelta(minutes=3))
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("left"))
    assert finished.failed is overdue
    record = project.record(finished, "left")
    assert record.state == ("failed" if overdue else "ran")
    assert ("longer than 3 minutes" in str(record.error)) is overdue
    assert record.decision
    assert len(cluster.created) == 1
    all_gone(cluster)
    assert nothing_is_staged(azurite)
