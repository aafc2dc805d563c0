"""DockerCompute where nothing of the worker is mounted: a real engine, and Azurite."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

from compute.jobs import COPY, Bench, ok, wait_for
from compute.test_docker import Containers
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput, JobOutcome, JobOutput, LocalCompute
from mlsteps.compute.docker import container
from mlsteps.compute.staged import StagedJob, StagingArea
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.result import JobResult
from servers.azurite import azurite, blob_store
from servers.docker_engine import DockerEngine

__all__ = ["azurite"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


class StagedContainers(Containers):
    """Jobs in containers that reach nothing but a storage account."""

    def __init__(self, root: Path, azurite: Azurite, engine: DockerEngine, settings: dict[str, Any]) -> None:
        super().__init__(root, engine, {"network_mode": "host", "shared_disk": False, **settings})
        self.store = blob_store(azurite)
        self.store.write("data/a.txt", b"abc")

    def reads(self, name: str, path: str, mode: str = "mount") -> JobInput:
        return replace(self.bench.reads(name, path, mode), store=self.store)

    def writes(self, name: str, path: str, **settings: Any) -> JobOutput:
        return replace(self.bench.writes(name, path, **settings), store=self.store)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        outputs = (self.writes("none", "made/none", create_directory=True),)
        return self.bench.run(script, *arguments, **{"outputs": outputs, **changes})

    def areas(self) -> list[str]:
        """Staging areas that are still there."""
        found = self.store.account.client.list_containers(name_starts_with="mlsteps-job-")
        return [container.name for container in found]


Make = Callable[..., StagedContainers]


@pytest.fixture
def containers(tmp_path: Path, azurite: Azurite, docker_engine: DockerEngine) -> Iterator[Make]:
    made: list[StagedContainers] = []

    def make(**settings: Any) -> StagedContainers:
        made.append(StagedContainers(tmp_path, azurite, docker_engine, settings))
        return made[-1]

    yield make
    for one in made:
        assert one.left() == [], "a container was left behind"
        assert one.areas() == [], "something staged was left behind"


COPY_AND_MORE = f"""{COPY}
open("model", "w").write("m")
run.upload_file("outputs/model.txt", "model")
print(os.environ["LANG"], os.path.isdir(os.environ["HOME"]), os.getuid())
"""


def copy(bench: Bench, store: Any) -> JobOutcome:
    return bench.run(
        COPY_AND_MORE,
        "$in_source",
        "$out_target",
        "$out_folder",
        inputs=(replace(bench.reads("source", "data"), store=store),),
        outputs=(
            replace(bench.writes("target", "made/target.txt"), store=store),
            replace(bench.writes("folder", "made/folder", create_directory=True), store=store),
        ),
    )


def test_a_job_gives_the_same_as_on_this_machine(containers: Make, tmp_path: Path) -> None:
    there, here = containers(user="1234:4321"), Bench(tmp_path / "here", LocalCompute())
    one = ok(copy(there.bench, there.store))
    assert there.store.read("made/target.txt") == b"ABC"
    assert there.store.read("made/folder/b.txt") == b"b"
    other = ok(copy(here, there.store))
    assert one.manifests == other.manifests
    assert there.printed() == "C.UTF-8 True 1234"
    assert [event["value"] for event in one.events if event["event"] == "metric"] == [3]
    assert there.bench.kept["files/outputs/kept.txt"] == b"kept"
    assert set(there.bench.kept) == set(here.kept)
    assert one.environment["image_digest"].startswith("sha256:")
    assert one.environment.keys() >= {"image", "base_image_digest", "python"}
    assert {"environment", "stage", "script", "publish"} <= set(there.bench.watcher.phases)


def test_nothing_is_mounted_but_what_is_asked_for(containers: Make, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference/r.txt").write_text("r")
    made = containers(mounts=[f"{tmp_path}/reference:/reference:ro"])
    made.bench.put("here/b.txt", "of the worker")
    script = f"""
import os, sys
print(open("/reference/r.txt").read(), os.path.exists({str(tmp_path)!r}))
print(open(sys.argv[1] + "/b.txt").read(), open(sys.argv[2]).read())
try:
    open(sys.argv[2], "w")
except OSError as error:
    print("refused:", error.strerror)
open("/mlsteps/tried", "w")
"""
    ok(
        made.run(
            script,
            "$in_here",
            "$in_source",
            inputs=(made.bench.reads("here", "here"), made.reads("source", "data/a.txt")),
        )
    )
    assert made.printed() == "r False\nof the worker abc" + (
        "" if os.getuid() == 0 else "\nrefused: Permission denied"
    )
    [passed] = [line for _, line in made.bench.lines if "pass through this worker" in line]
    assert passed.startswith("Input here: 13 bytes")


def test_limits_and_the_time_limit_hold(containers: Make) -> None:
    made = containers(cpus=0.5, memory="96m", shm_size="32m", max_hours=1.5 / 3600)
    outcome = made.run(
        "import os, time; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize); time.sleep(60)"
    )
    assert made.printed() == str(32 << 20)
    assert outcome.error is not None and "stopped at its time limit" in outcome.error
    made = containers(memory="96m")
    outcome = made.run("a = bytearray(300 << 20); print(len(a))")
    assert outcome.error is not None and "used more memory than its limit of 100.7 MB" in outcome.error


LIVE = """
import time
from mlsteps.run import Run
Run.get_context().log("rows", 3)
print("on", flush=True)
time.sleep(60)
"""


def test_lines_and_metrics_are_told_while_it_runs_and_a_stop_ends_it_in_time(containers: Make) -> None:
    made = containers()
    outcomes: list[JobOutcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(made.run(LIVE)))
    thread.start()
    wait_for(lambda: ("stdout", "on") in made.bench.lines)
    wait_for(lambda: made.bench.events)
    assert [event["value"] for event in made.bench.events] == [3]
    began = time.monotonic()
    made.bench.watcher.stop()
    thread.join(20)
    assert time.monotonic() - began < 5
    assert outcomes[0].error == "The script was stopped because its task was."
    assert made.bench.kept["stdout.log"] == b"on\n"


# Everything that a script can see, in one text.
SEE = """
import glob, os, sys
seen = [f"{name}={value}" for name, value in os.environ.items()]
def look(path, most=1 << 20):
    try:
        with open(path, "rb") as file:
            seen.append(path + ": " + file.read(most).decode("latin-1"))
    except OSError:
        pass
for process in glob.glob("/proc/[0-9]*") + ["/proc/self"]:
    for name in ("environ", "cmdline", "mountinfo", "status"):
        look(f"{process}/{name}")
    try:
        for number in os.listdir(f"{process}/fd"):
            seen.append(os.readlink(f"{process}/fd/{number}"))
    except OSError:
        pass
    try:
        ranges = [line.split()[0] for line in open(f"{process}/maps") if " rw-p " in line]
        with open(f"{process}/mem", "rb", 0) as memory:
            seen.append("memory of " + process)
            for first, last in (area.split("-") for area in ranges):
                memory.seek(int(first, 16))
                seen.append(memory.read(min(int(last, 16) - int(first, 16), 8 << 20)).decode("latin-1"))
    except OSError:
        pass
for top in ("/mlsteps", "/run", "/etc", "/tmp", "/home", "/root", "/var/tmp", "/dev/shm"):
    for folder, _, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not path.endswith((".zip", "seen.txt")):
                look(path)
open(sys.argv[1], "w", encoding="utf-8").write("\\n".join(seen))
"""


@pytest.mark.parametrize("user", ["0:0", "1234:4321"])
def test_a_script_sees_no_key_no_connection_and_no_signature(
    containers: Make, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: str
) -> None:
    secret = "the-password-that-nobody-may-see"
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "password": secret}))
    key = dict(part.partition("=")[::2] for part in azurite.connection_string.split(";"))["AccountKey"]
    handed: list[bytes] = []
    text = StagedJob.text
    monkeypatch.setattr(StagedJob, "text", lambda *given: handed.append(text(*given)) or handed[-1])
    made = containers(user=user)
    made.store.write("other/secret.txt", b"of others")
    others = blob_store(azurite)
    others.write("data/a.txt", b"of others")
    outcome = made.run(
        SEE,
        "$out_seen",
        inputs=(made.reads("source", "data"),),
        outputs=(made.writes("seen", "made/seen.txt"),),
    )
    ok(outcome)
    seen = made.store.read("made/seen.txt").decode()
    assert "memory of /proc/self" in seen and "OUT_seen=" in seen and "main.py" in seen
    assert "memory of /proc/1\n" not in seen  # the launcher's
    for hidden in (key, secret, "AIRFLOW_CONN", "sig=", "sig%3D", str(tmp_path)):
        assert hidden not in seen, (hidden, seen[max(0, seen.find(hidden) - 200) : seen.find(hidden) + 60])
    # What the launcher was handed opens this job's own, and nothing beside it.
    job = zlib.decompress(base64.b64decode(handed[0])).decode()
    assert key not in job and secret not in job
    found = {address.partition("?")[2] for address in re.findall(r'https?://[^" ]+\?[^" ]+', job)}
    found |= set(re.findall(r'"query": ?"([^"]+)"', job))
    signatures = sorted(query for query in found if "sig=" in query)
    assert len(signatures) == 2  # of the staging area, and of the one input
    for signature in signatures:
        for store in (made.store, others):
            there = ContainerClient.from_container_url(f"{store.url('')}?{signature}")
            attempts: dict[str, Callable[[], object]] = {
                "list": lambda there=there: list(there.list_blob_names()),
                "read": lambda there=there: there.download_blob("other/secret.txt").readall(),
                "write": lambda there=there: there.upload_blob("data/b.txt", b"x"),
                "replace": lambda there=there: there.upload_blob("data/a.txt", b"x", overwrite=True),
                "delete": lambda there=there: there.delete_blob("data/a.txt"),
            }
            for name, attempt in attempts.items():
                with pytest.raises(HttpResponseError):
                    pytest.fail(f"{name} at {store.url('')}: {attempt()}")
    assert not any("sig=" in line for _, line in made.bench.lines)
    assert "sig=" not in repr(outcome)


def test_an_engine_that_sees_the_workers_folders_is_found_out(containers: Make, tmp_path: Path) -> None:
    made = containers(shared_disk=None, network_mode="none")
    ok(made.run(f"import os; print(os.path.isdir({str(tmp_path / 'scratch')!r}))", outputs=()))
    assert made.printed() == "True"
    assert len(list((tmp_path / "environments/engines").iterdir())) == 1


def test_where_data_cannot_go_by_a_storage_account_it_is_said(containers: Make) -> None:
    made = containers()
    with pytest.raises(ComputeTargetException, match="'docker'.*Azure Blob datastore"):
        made.run("pass", outputs=())


def test_a_step_ends_what_an_earlier_try_of_it_left_wherever_its_worker_was(
    containers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = containers()
    # As of a worker that this machine knows nothing of, and that was lost with its own.
    monkeypatch.setattr(container, "process_facts", lambda: {"pid": 1, "processes": "elsewhere"})
    monkeypatch.setattr(container, "remove", lambda *_: None)
    monkeypatch.setattr(StagingArea, "delete", lambda *_: None)
    monkeypatch.setattr(container.JobContainer, "stay", lambda *_, **__: JobResult(error="lost"))
    assert made.run("pass", id="try.1", step="step").error == "lost"
    monkeypatch.undo()
    assert len(made.left()) == len(made.areas()) == 1
    ok(made.run("pass", id="other.1", step="other"))
    assert len(made.left()) == len(made.areas()) == 1
    ok(made.run("pass", id="try.2", step="step"))
