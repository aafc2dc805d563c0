"""What breaks around a job in a pod: workers, triggerers, nodes, the cluster's API and the storage account.

After each fault nothing may be left of the try (the fixture looks), nothing half published, and another try
succeeds. The cluster is a double whose pods are real containers.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from compute.jobs import Bench, ok, wait_for
from compute.pods import Make, Pods, cluster, pods, run_beside
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobSuspended, JobWatcher
from mlsteps.compute.kubernetes import diagnosis, pod_run
from mlsteps.compute.kubernetes.cluster import Cluster
from mlsteps.compute.staged import outputs
from mlsteps.compute.staged.job import StagedJob
from mlsteps.triggers.claimed import ClaimedTrigger
from servers.azurite import azurite, blob_store
from servers.faults import Fault, FaultyProxy

__all__ = ["azurite", "cluster", "pods"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

TWO_FILES = "import sys\nfor n in '12': open(f'{sys.argv[1]}/{n}', 'w').write(n)"


class Killed(BaseException):
    """Where a worker is killed: nothing that it would still do is done."""


def two_files(one: Pods, number: int) -> Any:
    output = one.writes("made", f"made/{one.bench.root.name}/{number}", create_directory=True)
    return one.job(TWO_FILES, "$out_made", outputs=(output,), id=f"job.{number}", step="the step")


@pytest.mark.parametrize("when", ["staged", "before the pod", "with the pod", "half published"])
def test_a_try_whose_worker_is_killed_is_cleared_away_by_the_next(
    pods: Make, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    one = pods()
    first, second = two_files(one, 1), two_files(one, 2)
    with monkeypatch.context() as worker:
        worker.setattr(pod_run._PodRun, "clear", lambda self: None)
        owner, name, late = {
            "staged": (StagedJob, "stage", True),
            "before the pod": (Cluster, "create", False),
            "with the pod": (Cluster, "create", True),
            "half published": (outputs, "copy_file", True),
        }[when]
        does = getattr(owner, name)

        def killed(*arguments: Any, **named: Any) -> None:
            if late:
                does(*arguments, **named)
            raise Killed

        worker.setattr(owner, name, killed)
        with pytest.raises(Killed):
            one.target.run(first, one.bench.watcher)
    assert len(one.left()) == 1
    ok(one.target.run(second, one.bench.watcher))
    assert one.store.read(second.outputs[0].path + "/1") == b"1"
    assert one.store.read(second.outputs[0].path + "/2") == b"2"
    assert len(one.cluster.created) == (1 if when in ("staged", "before the pod") else 2)


def test_a_job_that_was_cleared_away_is_not_started_again_by_the_same_try(pods: Make) -> None:
    one = pods(deferrable=True)
    job = replace(two_files(one, 1), resumed=True)
    outcome = one.target.run(job, one.bench.watcher)
    assert outcome.error is not None and outcome.error.startswith("The pod was ended from outside")
    assert one.cluster.created == []


def as_kept(suspended: JobSuspended) -> dict[str, Any]:
    """What Airflow's database keeps of a trigger."""
    trigger = ClaimedTrigger(
        suspended.trigger, suspended.settings, "file:///nowhere", {"try_number": 1}, suspended.staged
    )
    kept: dict[str, Any] = json.loads(json.dumps(trigger.serialize()[1]))
    return kept


async def event_of(kept: dict[str, Any]) -> Any:
    async for event in ClaimedTrigger(**kept).run():
        return event.payload


def test_another_triggerer_goes_on_with_the_wait(pods: Make) -> None:
    one = pods(deferrable=True)
    job = one.job("import time; time.sleep(4); print('through')")
    with pytest.raises(JobSuspended) as suspended:
        one.target.run(job, one.bench.watcher)
    kept = as_kept(suspended.value)

    async def one_after_the_other() -> Any:
        first = asyncio.create_task(event_of(kept))
        await asyncio.sleep(1.5)
        first.cancel()  # as a triggerer that is shut down does; one that is killed does less
        with pytest.raises(asyncio.CancelledError):
            await first
        return await event_of(kept)

    told = asyncio.run(one_after_the_other())
    assert told["event"]["status"] == "success" and told["suspended"] == {"try_number": 1}
    ok(one.target.run(job, one.bench.watcher))
    assert "through" in one.printed and len(one.cluster.created) == 1


def test_a_pod_whose_node_is_lost_is_given_up(pods: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_LOST_SECONDS", 0.5)
    one = pods()
    outcomes = run_beside(one, "print('up', flush=True); import time; time.sleep(60)")
    wait_for(lambda: "up" in one.printed)
    [name] = one.cluster.pod_names()
    one.cluster.lose_node_of(name)
    one.cluster.delete_pod("ns", name, 1.0)  # as the cluster does after some minutes
    [outcome] = outcomes()
    assert outcome.error is not None and "or its node is lost" in outcome.error


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_cluster_whose_api_is_away_for_a_while_costs_no_try(
    pods: Make, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    one = pods(deferrable=deferrable)
    away: list[float] = []

    def fault(number: int, line: str) -> Fault | None:
        if "/log" in line or (deferrable and line.startswith("GET") and one.cluster.created):
            away[:] = away or [time.monotonic()]
        return "reset before" if away and time.monotonic() - away[0] < 5 else None

    with FaultyProxy(one.cluster.url, fault) as proxy:
        text = proxy.through(json.dumps(one.cluster.kube_config))
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": text}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        job = one.job("import time; time.sleep(2); print('through')")
        if deferrable:
            with pytest.raises(JobSuspended) as suspended:
                one.target.run(job, one.bench.watcher)
            assert asyncio.run(event_of(as_kept(suspended.value)))["event"]["status"] in ("error", "success")
        ok(one.target.run(job, one.bench.watcher))
        assert len(proxy.injected) >= 3
    assert "through" in one.printed and len(one.cluster.created) == 1


FAULTS = {
    "evicted": "The cluster evicted the pod: The node was low on resource: memory.",
    "out of memory": "The container used more memory than what its node has.",
    "marked failed": "The script was stopped because its task was.",
}


def befall(fault: str, one: Pods) -> None:
    [name] = one.cluster.pod_names()
    if fault == "evicted":
        one.cluster.evict(name)
    elif fault == "out of memory":
        one.cluster.run_out_of_memory(name)
    else:
        one.bench.watcher.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_befalls_a_pod_while_it_fetches_or_sends_data_fails_the_try_and_is_told(
    pods: Make, azurite: Azurite, fault: str
) -> None:
    one = pods()
    direct, wanted, began = one.store, "", 0.0

    def at_that_moment(number: int, line: str) -> Fault | None:
        nonlocal wanted, began
        if not wanted or not one.cluster.pod_names() or not all(word in line for word in wanted.split()):
            return None
        wanted, began = "", time.monotonic()
        befall(fault, one)
        return "stall"

    with FaultyProxy(azurite.url, at_that_moment, stalls=20) as proxy:
        account = cast("Azurite", SimpleNamespace(connection_string=proxy.through(azurite.connection_string)))
        one.store = blob_store(account, container=direct.container)
        for number, moment in enumerate(("GET /data/a.txt", "PUT /outputs/")):
            wanted = moment
            job = replace(two_files(one, number), inputs=(one.reads("data"),))
            outcome = one.target.run(job, one.bench.watcher)
            assert time.monotonic() - began < (5 if fault == "marked failed" else 15)
            assert outcome.error is not None and outcome.error.startswith(FAULTS[fault]), outcome.error
            assert outcome.manifests == {} and proxy.injected == ["stall"] * (number + 1)
            assert list(direct.list("made")) == [] and one.left() == []
            wait_for(lambda: not one.cluster.pod_names())
            one.bench = Bench(one.bench.root, one.target)
        ok(one.target.run(two_files(one, 2), one.bench.watcher))
        assert len(list(direct.list("made"))) == 2
    one.store = direct


def test_signatures_that_expire_before_the_results_are_sent_are_told(
    pods: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pods()
    monkeypatch.setattr(pod_run, "LONGEST_SIGNATURE", 4.0)
    outcome = one.run(f"import time; time.sleep(6)\n{TWO_FILES}", "$out_none")
    assert outcome.error is not None and not outcome.manifests
    assert "expired at" in outcome.error and "sig=" not in outcome.error, outcome.error


def test_a_pod_that_does_not_reach_the_account_says_so(pods: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = pods()
    stage = StagedJob.stage
    here = urlsplit(one.store.url("")).netloc

    def elsewhere(self: StagedJob, watcher: JobWatcher) -> dict[str, str]:
        return {name: value.replace(here, "127.0.0.1:9") for name, value in stage(self, watcher).items()}

    monkeypatch.setattr(StagedJob, "stage", elsewhere)
    error = one.run("").error
    assert error is not None and "the launcher cannot be fetched from http://127.0.0.1:9/" in error, error
    assert "sig=" not in error and "have to reach" in error
