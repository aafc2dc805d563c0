"""DockerCompute without a shared disk when something dies, fills up or is stopped: what can differ there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from compute.jobs import wait_for
from compute.test_docker_faults import (
    FILL,
    OUTSIDE,
    SLOW,
    WRITE,
    Jobs,
    kill_worker,
    own_engine,
    small_disk,
)
from mlsteps.cli.azurite import Azurite
from mlsteps.compute.docker import staged_run
from mlsteps.compute.docker.container import JOB_LABEL
from mlsteps.compute.staged import StagedJob
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import ComputeTargetException, MlstepsException
from mlsteps.launcher.places import WebLimits
from servers.azurite import azurite, blob_store
from servers.docker_engine import DockerEngine, RestartableEngine
from servers.faults import FaultyProxy

__all__ = ["azurite", "own_engine"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


class StagedJobs(Jobs):
    """Jobs in containers that reach nothing but a storage account."""

    def __init__(
        self, root: Path, engine: DockerEngine, connection: str, container: str | None = None, **settings: Any
    ) -> None:
        super().__init__(root, engine, **{"network_mode": "host", "shared_disk": False, **settings})
        account = cast("Azurite", SimpleNamespace(connection_string=connection))
        self.store = store = blob_store(account, container=container)
        self.more = (connection, store.container)
        self.account = store.account

    def areas(self) -> list[str]:
        """Staging areas that are still there."""
        found = self.account.client.list_containers(name_starts_with="mlsteps-job-")
        return [container.name for container in found]

    def check_next(self, id: str = "next") -> None:
        super().check_next(id)
        assert self.areas() == []


@pytest.fixture
def jobs(tmp_path: Path, docker_engine: DockerEngine, azurite: Azurite) -> StagedJobs:
    return StagedJobs(tmp_path, docker_engine, azurite.connection_string)


@pytest.mark.parametrize(
    ("where", "name", "areas", "made"),
    [
        pytest.param("mlsteps.compute.staged.job", "signed_input", 1, False, id="staging"),
        pytest.param("", "", 1, False, id="running"),
        pytest.param("mlsteps.compute.staged.outputs", "place_files", 1, False, id="publishing"),
        pytest.param("docker", "APIClient.remove_container", 0, True, id="removing"),
    ],
)
def test_a_worker_that_is_killed_leaves_nothing_for_long(
    jobs: StagedJobs, where: str, name: str, areas: int, made: bool
) -> None:
    if where == "docker":
        jobs.check_next("before")  # what is known of the image is known from here on
    kill_worker(jobs, where, name)
    with jobs.engine.client() as client:
        found = [client.containers.get(id).labels[JOB_LABEL] for id in jobs.containers()]
    assert (found, len(jobs.areas())) == (["first"], areas)
    assert (jobs.store.stat("made/first") is not None) == made
    jobs.check_next()


@pytest.mark.parametrize("how", ["killed", "removed"])
def test_a_container_that_somebody_ends_fails_the_try_and_says_so(jobs: StagedJobs, how: str) -> None:
    end = jobs.begin(SLOW)
    with jobs.engine.client() as client:
        container = client.containers.get(jobs.containers()[0])
        container.kill() if how == "killed" else container.remove(force=True)
    outcome = end()
    assert (outcome.error, outcome.manifests) == (OUTSIDE.format("killed"), {})
    assert jobs.store.stat("made/first") is None
    jobs.check_next()


def test_an_engine_that_dies_fails_the_try_and_the_next_one_succeeds(
    own_engine: RestartableEngine, tmp_path: Path, azurite: Azurite
) -> None:
    jobs = StagedJobs(tmp_path, own_engine.engine, azurite.connection_string)
    end = jobs.begin(SLOW)
    own_engine.kill()
    with pytest.raises(ComputeTargetException, match="The Docker engine failed"):
        end()
    assert jobs.areas() == []
    own_engine.start()
    jobs.check_next()


class Proxied:
    """Jobs whose storage account is reached over something that fails."""

    def __init__(self, jobs: StagedJobs, proxy: FaultyProxy) -> None:
        self.jobs, self.proxy = jobs, proxy


@pytest.fixture
def proxied(tmp_path: Path, docker_engine: DockerEngine, azurite: Azurite) -> Iterator[Proxied]:
    with FaultyProxy(azurite.url) as proxy:
        jobs = StagedJobs(tmp_path, docker_engine, proxy.through(azurite.connection_string))
        yield Proxied(jobs, proxy)


UPLOADS = "open(__import__('sys').argv[1], 'w').write('whole'); print('on', flush=True)"


def test_a_store_that_is_out_of_reach_for_a_while_is_waited_for(proxied: Proxied) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    refused: list[float] = []

    def fault(number: int, line: str) -> Any:
        if "/outputs/" not in line or "PUT" not in line:
            return None
        refused.append(time.monotonic())
        return "reset before" if time.monotonic() - refused[0] < 1 else None

    proxy.fault = fault
    outcome = jobs.run(UPLOADS, "first")
    assert outcome.error is None and len(refused) > 1
    assert jobs.store.read("made/first") == b"whole"
    jobs.check_next()


def test_a_store_that_stays_out_of_reach_fails_the_try_and_says_so(
    proxied: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    launcher_job = StagedJob._launcher_job
    impatient = WebLimits(attempts=2, pause_seconds=0.1)
    monkeypatch.setattr(
        StagedJob, "_launcher_job", lambda *given: replace(launcher_job(*given), web=impatient)
    )
    proxy.fault = lambda number, line: "reset before" if "/outputs/" in line else None
    outcome = jobs.run(UPLOADS, "first")
    assert outcome.error is not None and "outputs/out" in outcome.error and "sig=" not in outcome.error
    assert jobs.store.stat("made/first") is None
    # The worker cannot reach it, either.
    proxy.fault = lambda number, line: "reset before"
    with pytest.raises(MlstepsException, match=r"cannot make a container for the job's data on http://"):
        jobs.run(UPLOADS, "second")
    assert jobs.containers() == []
    proxy.fault = lambda number, line: None
    jobs.check_next()


def test_a_stop_while_outputs_are_sent_ends_the_job_in_time(proxied: Proxied) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    sending: list[str] = []

    def fault(number: int, line: str) -> Any:
        if "/outputs/" in line:
            sending.append(line)
            return "stall"
        return None

    proxy.stalls = 30
    proxy.fault = fault
    end = jobs.begin(UPLOADS)
    while not sending:
        time.sleep(0.05)
    began = time.monotonic()
    jobs.bench.watcher.stop()
    assert end().error == "The script was stopped because its task was."
    assert time.monotonic() - began < 5
    assert jobs.store.stat("made/first") is None
    proxy.fault = lambda number, line: None
    jobs.check_next()


@pytest.mark.parametrize(
    ("fault", "moments"),
    [
        ("killed", ["GET /data/a.txt", "PUT /outputs/"]),
        ("marked failed", ["GET /data/a.txt"]),
    ],
)
def test_what_befalls_a_container_while_it_fetches_or_sends_data_fails_the_try_and_is_told(
    proxied: Proxied, fault: str, moments: list[str]
) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    jobs.store.write("data/a.txt", b"abc")
    wanted, began = "", 0.0

    def at_that_moment(number: int, line: str) -> Any:
        nonlocal wanted, began
        if not wanted or not all(word in line for word in wanted.split()):
            return None
        wanted, began = "", time.monotonic()
        if fault == "killed":
            with jobs.engine.client() as client:
                client.containers.get(jobs.containers()[0]).kill()
        else:
            jobs.bench.watcher.stop()
        return "stall"

    proxy.fault, proxy.stalls = at_that_moment, 20
    for moment in moments:
        wanted = moment
        outcome = jobs.run(UPLOADS, "first", inputs=(jobs.reads("data", "data/a.txt"),))
        told = "The script was stopped because its task was."
        assert outcome.error == (OUTSIDE.format("killed") if fault == "killed" else told)
        assert outcome.manifests == {} and time.monotonic() - began < 5
        assert jobs.store.stat("made/first") is None
    jobs.check_next()


def test_a_store_that_is_away_while_data_is_fetched_or_published_is_waited_for(proxied: Proxied) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    jobs.store.write("data/a.txt", b"abc")
    away = {"GET /data/a.txt": 3, "PUT /made/first": 3}

    def fault(number: int, line: str) -> Any:
        for moment, left in away.items():
            if left and all(word in line for word in moment.split()):
                away[moment] -= 1
                return "reset before"
        return None

    proxy.fault = fault
    outcome = jobs.run(UPLOADS, "first", inputs=(jobs.reads("data", "data/a.txt"),))
    assert outcome.error is None and set(away.values()) == {0}
    assert jobs.store.read("made/first") == b"whole"
    jobs.check_next()


def test_a_stop_while_the_store_says_nothing_ends_the_job_in_time(proxied: Proxied) -> None:
    jobs, proxy = proxied.jobs, proxied.proxy
    end = jobs.begin(SLOW, step="step")
    proxy.stalls = 6
    proxy.fault = lambda number, line: "stall"
    began = time.monotonic()
    jobs.bench.watcher.stop()
    assert end().error == "The script was stopped because its task was."
    assert time.monotonic() - began < 5
    assert jobs.containers() == []
    proxy.fault = lambda number, line: None
    assert jobs.store.stat("made/first") is None
    jobs.run(WRITE, "again", step="step")  # finds what is left by the step
    # A task's process would have ended; in this one they still wait for an answer.
    wait_for(lambda: not any(thread.name == "in time" for thread in threading.enumerate()))
    jobs.check_next()


def test_signatures_that_are_too_old_fail_the_try_and_say_so(
    jobs: StagedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_run, "_SLACK", -56.0)
    outcome = jobs.run("import time; time.sleep(5)\n" + UPLOADS, "first", time_limit=60)
    assert outcome.error is not None and "expired" in outcome.error, outcome.error
    assert "sig=" not in outcome.error and outcome.manifests == {}
    assert jobs.store.stat("made/first") is None
    monkeypatch.undo()
    jobs.check_next()


def test_a_full_disk_fails_the_try_and_says_so(jobs: StagedJobs, tmp_path: Path, azurite: Azurite) -> None:
    with small_disk(tmp_path / "small", 4):
        mounts = [f"{tmp_path}/small:/mlsteps"]
        small = StagedJobs(jobs.root, jobs.engine, azurite.connection_string, mounts=mounts)
        with pytest.raises(ComputeTargetException, match=r"left no result; see its output above"):
            small.run(FILL, "running")
        assert any("No space left on device" in line for _, line in small.bench.lines)
        small.store.write("data/big", bytes(5 << 20))
    with small_disk(tmp_path / "smaller", 4):
        mounts = [f"{tmp_path}/smaller:/mlsteps"]
        small = StagedJobs(jobs.root, jobs.engine, *small.more, mounts=mounts)
        outcome = small.run("pass", "staging", inputs=(small.reads("big", "data/big"),))
        assert outcome.error is not None and "does not fit on the disk" in outcome.error
    assert (jobs.containers(), jobs.areas()) == ([], [])
    jobs.check_next()


def test_a_stop_while_data_passes_through_the_worker_leaves_the_rest_out(
    jobs: StagedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []

    def stop_and_copy(self: AzureBlobStore, source: Path, path: str) -> None:
        copied.append(path)
        jobs.bench.watcher.stop()

    monkeypatch.setattr(AzureBlobStore, "put_file", stop_and_copy)
    for number in range(100):
        jobs.bench.put(f"data/{number}", "x")
    outcome = jobs.run("print('on')", "first", inputs=(jobs.bench.reads("data", "data"),))
    assert outcome.error == "The script was stopped because its task was."
    assert len(copied) <= 8 and ("stdout", "on") not in jobs.bench.lines
    monkeypatch.undo()
    jobs.check_next()
