"""DockerCompute when something dies, fills up or is stopped: at each stage of a job, in a real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import Bench, wait_for
from mlsteps.compute import DockerCompute, JobInput, JobOutcome
from mlsteps.compute.docker.container import JOB_LABEL
from mlsteps.data.stores import FolderStore, Store
from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.exceptions import ComputeTargetException
from servers.docker_engine import DockerEngine, RestartableEngine, restartable_engine
from small_disks import small_disk

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

OUTSIDE = "The container was {} from outside: by somebody, or with the Docker engine."
WRITE = "import sys; open(sys.argv[1], 'w').write('whole')"
SLOW = """
import sys, time
file = open(sys.argv[1], "w")
file.write("ha"); file.flush()
print("on", flush=True)
time.sleep(60)
"""


class Jobs:
    """Jobs on one target, each with an id and an output of its own."""

    more: tuple[str, ...] = ()
    """What else such jobs are made with."""

    def __init__(self, root: Path, engine: DockerEngine, **settings: Any) -> None:
        self.engine = engine
        settings = {"network_mode": "none", "shared_disk": True, **settings}
        self.target = DockerCompute("docker", engine.url, base_image=engine.image, **settings)
        self.root = root
        self.bench = Bench(root, self.target)
        self.store: Store = self.bench.store

    def reads(self, name: str, path: str) -> JobInput:
        return replace(self.bench.reads(name, path, "download"), store=self.store)

    def run(self, script: str, id: str = "next", **changes: Any) -> JobOutcome:
        outputs = (replace(self.bench.writes("out", f"made/{id}"), store=self.store),)
        return self.bench.run(script, "$out_out", id=id, **{"outputs": outputs, **changes})

    def begin(self, script: str, id: str = "first", **changes: Any) -> Callable[[], JobOutcome]:
        """Run a job beside the test until it prints "on"; what is returned waits for its end."""
        ends: list[JobOutcome | BaseException] = []

        def run() -> None:
            try:
                ends.append(self.run(script, id, **changes))
            except BaseException as error:
                ends.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        wait_for(lambda: ("stdout", "on") in self.bench.lines or ends)

        def end() -> JobOutcome:
            thread.join(30)
            assert ends, "the job goes on"
            if isinstance(ends[0], BaseException):
                raise ends[0]
            return ends[0]

        return end

    def containers(self) -> list[str]:
        """Those that are there, in whatever state."""
        with self.engine.client() as client:
            found = client.api.containers(all=True, filters={"label": WORKER_LABEL})
            return [one["Id"] for one in found]

    def check_next(self, id: str = "next") -> None:
        """The next try succeeds, and nothing is left but what it made."""
        self.bench = Bench(self.root, self.target)
        outcome = self.run(WRITE, id)
        assert outcome.error is None, (outcome.error, outcome.stderr_tail)
        assert list(outcome.manifests) == ["out"]
        assert self.store.read(f"made/{id}") == b"whole"
        assert self.containers() == []
        assert list((self.root / "scratch").iterdir()) == []


@pytest.fixture
def jobs(tmp_path: Path, docker_engine: DockerEngine) -> Jobs:
    return Jobs(tmp_path, docker_engine)


# A worker that is killed at the moment when it is about to do something.
WORKER = """
import importlib, json, os, signal, sys
from pathlib import Path
from compute.test_docker_faults import SLOW, WRITE
from servers.docker_engine import DockerEngine
root, url, image, where, name, module, made, more = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
kind = getattr(importlib.import_module(module), made)
jobs = kind(Path(root), DockerEngine(url, image, True), *json.loads(more))
if where:
    owner = importlib.import_module(where)
    for part in name.split(".")[:-1]:
        owner = getattr(owner, part)
    setattr(owner, name.split(".")[-1], die)
else:
    jobs.bench.watcher.on_line = lambda stream, line: stream == "stdout" and die()
jobs.store.write("data/a.txt", b"abc")
jobs.run(WRITE if where else SLOW, "first", inputs=(jobs.reads("data", "data/a.txt"),))
"""


def kill_worker(jobs: Jobs, where: str, name: str) -> None:
    """Run the job "first" in a worker that is killed when it comes to a function; "" is at its output."""
    made = [type(jobs).__module__, type(jobs).__name__, json.dumps(jobs.more)]
    worker = subprocess.run(
        [
            sys.executable,
            "-c",
            WORKER,
            str(jobs.root),
            jobs.engine.url,
            jobs.engine.image,
            where,
            name,
            *made,
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr.decode()


def test_a_worker_that_is_killed_while_it_looks_at_an_image_leaves_nothing_for_long(jobs: Jobs) -> None:
    kill_worker(jobs, "docker", "APIClient.start")
    with jobs.engine.client() as client:
        [left] = [client.containers.get(id) for id in jobs.containers()]
    assert left.labels["mlsteps"] == "probe"
    jobs.check_next()


@pytest.mark.parametrize(
    ("where", "name", "left"),
    [
        pytest.param("mlsteps.compute.placement", "stage_input", 0, id="staging"),
        pytest.param("docker", "APIClient.start", 1, id="before the script starts"),
        pytest.param("", "", 1, id="running"),
        pytest.param("docker", "APIClient.wait", 1, id="at the script's end"),
        pytest.param("docker", "APIClient.remove_container", 1, id="removing"),
        pytest.param("mlsteps.compute.placement", "Placement._publish", 0, id="publishing"),
    ],
)
def test_a_worker_that_is_killed_leaves_nothing_for_long(
    jobs: Jobs, where: str, name: str, left: int
) -> None:
    jobs.check_next("before")  # what is known of the image is known from here on
    kill_worker(jobs, where, name)
    with jobs.engine.client() as client:
        found = [client.containers.get(id).labels[JOB_LABEL] for id in jobs.containers()]
    assert found == ["first"] * left
    jobs.check_next()


@pytest.mark.parametrize("how", ["killed", "removed", "stopped"])
def test_a_container_that_somebody_ends_fails_the_try_and_says_so(jobs: Jobs, how: str) -> None:
    end = jobs.begin(SLOW)
    with jobs.engine.client() as client:
        container = client.containers.get(jobs.containers()[0])
        if how == "removed":
            container.remove(force=True)
        else:
            (container.kill if how == "killed" else container.stop)()
    outcome = end()
    assert outcome.error == OUTSIDE.format("stopped" if how == "stopped" else "killed")
    assert outcome.manifests == {}
    jobs.check_next()


def test_a_killed_container_gives_no_output_although_all_of_it_is_written(jobs: Jobs) -> None:
    end = jobs.begin(WRITE + "; print('on', flush=True); import time; time.sleep(60)")
    with jobs.engine.client() as client:
        client.containers.get(jobs.containers()[0]).kill()
    assert end().manifests == {}
    jobs.check_next()


def test_a_task_that_is_stopped_before_its_script_starts_starts_none(jobs: Jobs) -> None:
    jobs.bench.watcher.stop()
    outcome = jobs.run("print('on')")
    assert outcome.error == "The script was stopped because its task was."
    assert jobs.bench.lines == []
    jobs.check_next()


def test_a_stop_at_the_moment_of_the_start_is_not_lost(
    tmp_path: Path, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docker import APIClient

    others = Jobs(tmp_path, docker_engine)
    others.check_next("before")  # what is known of the image is known from here on
    jobs = Jobs(tmp_path, docker_engine, cpus=0.05)  # so slow that the signal comes before Python listens
    start, stopped_at = APIClient.start, list[float]()

    def start_and_stop(api: Any, container: str) -> None:
        start(api, container)
        stopped_at.append(time.monotonic())
        jobs.bench.watcher.stop()

    monkeypatch.setattr(APIClient, "start", start_and_stop)
    outcome = jobs.run("import time; time.sleep(60)")
    assert time.monotonic() - stopped_at[0] < 4
    assert outcome.error == "The script was stopped because its task was."
    monkeypatch.undo()
    others.check_next()


def test_a_stop_while_outputs_are_published_leaves_the_next_try_free(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.compute import placement

    collect = placement.collect_output

    def stop_and_collect(*arguments: Any) -> Any:
        jobs.bench.watcher.stop()
        return collect(*arguments)

    monkeypatch.setattr(placement, "collect_output", stop_and_collect)
    output = jobs.bench.writes("out", "made/first", collect_from="here.txt")
    outcome = jobs.run("open('here.txt', 'w').write('whole')", "first", outputs=(output,))
    # The script was over: it is complete, whatever Airflow makes of the task.
    assert outcome.error is None and list(outcome.manifests) == ["out"]
    assert jobs.bench.store.read("made/first") == b"whole"
    monkeypatch.undo()
    jobs.check_next()


FILL = """
import sys
open(sys.argv[1], "w").write("half")
with open("fill", "wb") as file:
    while True:
        file.write(bytes(1 << 16))
"""


def test_a_full_disk_fails_the_try_and_says_so(jobs: Jobs, tmp_path: Path) -> None:
    scratch = tmp_path / "small"
    with small_disk(scratch, 4):
        outcome = None
        with pytest.raises(ComputeTargetException, match=r"left no result; see its output above"):
            outcome = jobs.run(FILL, "running", scratch=scratch)
        assert outcome is None
        assert any("No space left on device" in line for _, line in jobs.bench.lines)
        assert list(scratch.iterdir()) == []

        jobs.bench.put("data/big", "x" * (5 << 20))
        big = jobs.bench.reads("big", "data/big", "download", "big")
        told = r"Input 'big' does not fit on the disk: No space left on device"
        with pytest.raises(ComputeTargetException, match=told):
            jobs.run("pass", "staging", scratch=scratch, inputs=(big,))
        assert list(scratch.iterdir()) == []
        assert jobs.containers() == []
    jobs.check_next()


def test_a_full_disk_of_the_store_fails_the_try_and_no_file_of_it_is_cut_short(
    jobs: Jobs, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", 2):
        store = FolderStore(tmp_path / "small/store")
        output = replace(jobs.bench.writes("out", "made/first", collect_from="here"), store=store)
        script = """
import os
os.mkdir("here")
for name in "abc":
    open("here/" + name, "wb").write(bytes(1 << 20))
"""
        told = r"Output 'out' does not fit on the disk: No space left on device"
        with pytest.raises(ComputeTargetException, match=told):
            jobs.run(script, "first", outputs=(output,))
        files = [path for path in (tmp_path / "small").rglob("*") if path.is_file()]
        assert all(path.stat().st_size == 1 << 20 for path in files), files
        assert jobs.containers() == []
    jobs.check_next()


@pytest.fixture
def own_engine() -> Iterator[RestartableEngine]:
    with restartable_engine() as engine:
        yield engine


def test_an_engine_that_dies_fails_the_try_and_the_next_one_succeeds(
    own_engine: RestartableEngine, tmp_path: Path
) -> None:
    jobs = Jobs(tmp_path, own_engine.engine)
    end = jobs.begin(SLOW)
    own_engine.kill()
    with pytest.raises(ComputeTargetException, match="The Docker engine failed"):
        end()
    with pytest.raises(ComputeTargetException, match="no Docker engine answers at unix://"):
        jobs.run(WRITE, "meanwhile")
    own_engine.start()
    jobs.check_next()
    # One that is shut down in order ends its containers itself.
    end = jobs.begin(SLOW, "second")
    own_engine.stop()
    try:
        assert end().error == OUTSIDE.format("stopped")
    except ComputeTargetException as error:
        assert "The Docker engine failed" in str(error)
    own_engine.start()
    jobs.check_next("last")


def test_jobs_run_beside_each_other(jobs: Jobs) -> None:
    other = Jobs(jobs.root, jobs.engine)
    ends = [one.begin(SLOW.replace("60", "1.5"), id) for one, id in ((jobs, "one"), (other, "two"))]
    assert len(jobs.containers()) == 2
    for end in ends:
        assert end().error is None
    assert jobs.bench.store.read("made/one") == jobs.bench.store.read("made/two") == b"ha"
    jobs.check_next()


def test_much_output_in_one_burst_comes_through_complete_and_in_order(jobs: Jobs) -> None:
    outcome = jobs.run(
        """
import sys
for number in range(60_000):
    sys.stdout.write(f"{number} " + "x" * 90 + "\\n")
sys.stderr.write("y" * 300_000 + "\\n")
print("größer als 5 €, 日本語, 🎉")
""",
        outputs=(),
    )
    assert outcome.error is None
    *numbered, last = [line for stream, line in jobs.bench.lines if stream == "stdout"]
    assert [line.split()[0] for line in numbered] == [str(number) for number in range(60_000)]
    assert {len(line.split()[1]) for line in numbered} == {90}
    assert last == "größer als 5 €, 日本語, 🎉"
    assert "".join(line for stream, line in jobs.bench.lines if stream == "stderr") == "y" * 300_000
    assert outcome.stdout_tail[-1] == last


def test_a_script_that_closes_its_output_goes_on(jobs: Jobs) -> None:
    outcome = jobs.run("import os, sys, time; os.close(1); os.close(2); time.sleep(1.5)\n" + WRITE)
    assert outcome.error is None
    assert jobs.bench.store.read("made/next") == b"whole"


def test_what_a_script_leaves_running_ends_with_it(jobs: Jobs) -> None:
    began = time.monotonic()
    outcome = jobs.run(
        "import subprocess; subprocess.Popen(['sleep', '100'], start_new_session=True)\n" + WRITE
    )
    assert outcome.error is None
    assert time.monotonic() - began < 10
    assert jobs.containers() == []


def test_an_id_is_used_again_while_a_container_with_it_is_still_there(jobs: Jobs) -> None:
    jobs.check_next("before")
    kill_worker(jobs, "docker", "APIClient.start")
    assert len(jobs.containers()) == 1
    outcome = jobs.run(WRITE, "first")
    assert outcome.error is None and jobs.bench.store.read("made/first") == b"whole"
    assert jobs.containers() == []
