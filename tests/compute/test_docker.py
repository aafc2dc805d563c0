"""DockerCompute on jobs of its own, in a real engine: what a script sees, what holds, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import COPY, Bench, ok, wait_for
from mlsteps.compute import DockerCompute, JobOutcome, LocalCompute, create_compute_target
from mlsteps.compute.docker.container import JOB_LABEL
from mlsteps.environment import (
    CondaDependencies,
    Environment,
    EnvironmentLocks,
    RunConfiguration,
    plan_environment,
)
from mlsteps.exceptions import ComputeTargetException, EnvironmentBuildError, UserErrorException
from servers.docker_engine import DockerEngine

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


class Containers:
    """Jobs in containers."""

    def __init__(self, root: Path, engine: DockerEngine, settings: dict[str, Any]) -> None:
        self.engine = engine
        settings = {"base_image": engine.image, "network_mode": "none", "url": engine.url, **settings}
        self.target = DockerCompute("docker", **settings)
        self.bench = Bench(root, self.target)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        return self.bench.run(script, *arguments, **changes)

    def left(self) -> list[str]:
        """Containers of jobs that are still there, in whatever state."""
        with self.engine.client() as client:
            return [found.id for found in client.containers.list(all=True, filters={"label": JOB_LABEL})]

    def printed(self, stream: str = "stdout") -> str:
        return "\n".join(line for name, line in self.bench.lines if name == stream)


Make = Callable[..., Containers]


@pytest.fixture
def containers(tmp_path: Path, docker_engine: DockerEngine) -> Iterator[Make]:
    made: list[Containers] = []

    def make(**settings: Any) -> Containers:
        made.append(Containers(tmp_path, docker_engine, settings))
        return made[-1]

    yield make
    for one in made:
        assert one.left() == [], "a container was left behind"


def copy(bench: Bench) -> JobOutcome:
    bench.put("data/a.txt", "abc")
    return bench.run(
        COPY,
        "$in_source",
        "$out_target",
        "$out_folder",
        inputs=(bench.reads("source", "data"),),
        outputs=(
            bench.writes("target", "made/job/target.txt"),
            bench.writes("folder", "kept/folder", create_directory=True),
        ),
    )


def test_a_job_gives_the_same_as_on_this_machine(containers: Make, tmp_path: Path) -> None:
    there, here = containers(), Bench(tmp_path / "here", LocalCompute())
    one, other = ok(copy(there.bench)), ok(copy(here))
    assert one.manifests == other.manifests
    assert one.exit_code == other.exit_code == 0
    assert [e["value"] for e in one.events if e["event"] == "metric"] == [3]
    assert there.bench.store.read("made/job/target.txt") == b"ABC"
    assert there.bench.kept["files/outputs/kept.txt"] == b"kept"
    assert set(there.bench.kept) == set(here.kept)
    # What was made belongs to who runs the worker.
    stat = (there.bench.root / "store/made/job/target.txt").stat()
    assert (stat.st_uid, stat.st_gid) == (os.getuid(), os.getgid())
    assert one.environment["image"] == there.engine.image
    assert one.environment["image_digest"].startswith("sha256:")
    assert one.command[0] != sys.executable


def test_streams_and_exit_codes_come_through(containers: Make) -> None:
    made = containers()
    outcome = made.run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (outcome.exit_code, outcome.error) == (7, "The script ended with exit code 7.")
    assert made.printed() == "out"
    assert made.printed("stderr") == "err"
    assert outcome.stderr_tail == ("err",)


def test_a_script_sees_its_own_data_and_nothing_of_the_worker(
    containers: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "the-account-key-that-nobody-may-see"
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "password": secret}))
    monkeypatch.setenv("SOME_TOKEN", secret)
    made = containers()
    made.bench.put("data/a.txt", "abc")
    made.bench.put("other/secret.txt", secret)
    (tmp_path / "beside.txt").write_text(secret)
    outcome = made.run(
        f"""
import glob, os, sys
secret = {secret[::-1]!r}[::-1]
found = [name for name, value in os.environ.items() if secret in value or "AIRFLOW" in name]
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + ["/proc/self/mountinfo"]:
    try:
        if secret.encode() in open(path, "rb").read():
            found.append(path)
    except OSError:
        pass
for top in ({str(tmp_path)!r}, "/run", "/etc", "/tmp", "/home", "/root"):
    for folder, folders, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path):
                    if secret.encode() in open(path, "rb").read(1 << 20) and not path.endswith("main.py"):
                        found.append(path)
            except OSError:
                pass
assert not found, found
assert not os.path.exists({str(tmp_path / "store/other")!r})
try:
    open(os.path.join(sys.argv[1], "a.txt"), "w")
except OSError as error:
    print("refused:", error.strerror)
""",
        "$in_source",
        inputs=(made.bench.reads("source", "data"),),
    )
    ok(outcome)
    assert made.printed() == "refused: Read-only file system"
    assert made.bench.store.read("data/a.txt") == b"abc"


BURN = """
import time
used, end = time.process_time(), time.time() + 2
while time.time() < end:
    pass
print(time.process_time() - used)
"""
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"


def test_limits_hold(containers: Make) -> None:
    made = containers(cpus=0.5, memory="96m", shm_size="32m")
    outcome = ok(made.run("import os; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize)"))
    assert made.printed() == str(32 << 20)
    outcome = made.run("a = bytearray(300 << 20); print(len(a))")
    assert outcome.error is not None
    assert "more memory than its limit of 100.7 MB. Raise memory" in outcome.error
    made.bench.lines.clear()
    ok(made.run(BURN))
    assert float(made.printed()) < 1.5


def test_a_time_limit_ends_the_script(containers: Make) -> None:
    outcome = containers().run("import time; print('on', flush=True); time.sleep(60)", time_limit=1.0)
    assert outcome.error is not None and "time limit" in outcome.error


def test_stopping_ends_the_script_within_airflows_patience(containers: Make) -> None:
    made = containers()
    outcomes: list[JobOutcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(made.run(DEAF)))
    thread.start()
    wait_for(lambda: ("stdout", "on") in made.bench.lines)
    began = time.monotonic()
    made.bench.watcher.stop()
    thread.join(20)
    assert time.monotonic() - began < 5
    assert outcomes[0].error == "The script was stopped because its task was."


def test_a_container_that_somebody_kills_is_told_of(containers: Make) -> None:
    made = containers()
    outcomes: list[JobOutcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(made.run("import time; print('on', flush=True); time.sleep(60)"))
    )
    thread.start()
    wait_for(lambda: ("stdout", "on") in made.bench.lines)
    with made.engine.client() as client:
        client.containers.get(made.left()[0]).kill()
    thread.join(20)
    assert outcomes[0].error == (
        "The container was killed from outside: by somebody, or with the Docker engine."
    )


WORKER = """
import sys
from pathlib import Path
from compute.jobs import Bench
from mlsteps.compute import DockerCompute
bench = Bench(Path(sys.argv[1]), DockerCompute(url=sys.argv[2], base_image=sys.argv[3], network_mode="none"))
bench.watcher.on_line = lambda stream, line: print(line, flush=True)
bench.run("import time; print('on', flush=True); time.sleep(600)")
"""


def test_the_container_of_a_killed_worker_ends_and_is_swept_away(containers: Make, tmp_path: Path) -> None:
    made = containers()
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "worker"), made.engine.url, made.engine.image],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as worker:
        assert worker.stdout is not None
        while "on" not in worker.stdout.readline().split():
            assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
    [left] = made.left()
    with made.engine.client() as client:
        wait_for(lambda: client.containers.get(left).status == "exited")
    ok(made.run("pass"))
    assert made.left() == []


def test_packages_that_are_asked_for_are_there(containers: Make) -> None:
    made = containers()
    environment = Environment("e")
    environment.python.conda_dependencies.add_pip_package("colorama==0.4.6")
    configuration = RunConfiguration()
    configuration.environment = environment
    outcome = ok(made.run("import colorama; print(colorama.__version__)", run_configuration=configuration))
    assert made.printed() == "0.4.6"
    assert outcome.environment["packages"] == {"colorama": "0.4.6"}


def test_who_asks_for_nothing_gets_the_packages_of_the_target(containers: Make, tmp_path: Path) -> None:
    made = containers(packages=["colorama==0.4.6"])
    ok(made.run("import colorama; print(colorama.__version__)"))
    assert made.printed() == "0.4.6"
    locks = EnvironmentLocks(made.bench.store, tmp_path / "environments")
    dependencies = CondaDependencies.create(python_version="3.11", pip_packages=["colorama==0.4.6"])
    here = LocalCompute().environment_identity(plan_environment(dependencies), locks, tmp_path)
    assert made.target.environment_identity(plan_environment(None), locks, tmp_path / "environments") == here


def test_what_cannot_be_is_told_before_a_container_starts(containers: Make, tmp_path: Path) -> None:
    for settings, told in (
        ({"memory": "lots"}, "memory is a number of bytes"),
        ({"memory": 512}, "at least 6m"),
        ({"cpus": 0}, "cpus is a number above 0"),
        ({"gpus": "many"}, "gpus is a number or 'all'"),
        ({"mounts": ["data"]}, "a mount is '/on/engine:/in/container'"),
        ({"packages": "pandas"}, "packages is a list of pip requirements"),
        ({"user": "root"}, "user is 'uid:gid' in numbers"),
        ({"input_cache_gb": "1"}, "input_cache_gb is a number of gigabytes"),
        ({"pull": "sometimes"}, "pull is one of missing, always, never"),
        ({"shared_disk": "no"}, "shared_disk is true or false, or left out, got 'no'"),
        ({"max_hours": 200}, "max_hours is a number above 0 and at most 160, got 200"),
    ):
        with pytest.raises(ComputeTargetException, match=told):
            DockerCompute("d", **settings)  # type: ignore[arg-type]
    with pytest.raises(ComputeTargetException, match=r"target 'd': no Docker engine answers at unix://"):
        Bench(tmp_path, DockerCompute("d", url=f"unix://{tmp_path}/none.sock")).run("pass")
    with pytest.raises(EnvironmentBuildError, match=r"no image 'nobody/has:it', and pull is 'never'"):
        containers(base_image="nobody/has:it", pull="never").run("pass")


def test_settings_make_the_same_target_again() -> None:
    target = DockerCompute(
        "d",
        cpus=1.5,
        memory="2g",
        gpus="all",
        mounts=["/a:/b:ro"],
        pull="always",
        shared_disk=False,
        max_hours=48,
    )
    described = dict(target.describe())
    assert described == {
        "type": "docker",
        "name": "d",
        "cpus": 1.5,
        "memory": "2g",
        "gpus": "all",
        "mounts": ["/a:/b:ro"],
        "pull": "always",
        "shared_disk": False,
        "max_hours": 48,
    }
    again = create_compute_target(described.pop("name"), described)
    assert repr(again) == repr(target)
    by_connection = DockerCompute("d", engine_conn_id="gpu_engine").describe()
    assert by_connection == {"type": "docker", "name": "d", "engine_conn_id": "gpu_engine"}
    assert create_compute_target("d", by_connection).describe() == by_connection


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_outputs_belong_to_the_user_that_is_named(containers: Make) -> None:
    made = containers(user="1234:4321")
    ok(copy(made.bench))
    for path in ("store/made/job/target.txt", "store/kept/folder/b.txt"):
        stat = (made.bench.root / path).stat()
        assert (stat.st_uid, stat.st_gid) == (1234, 4321)
    assert made.bench.kept["files/outputs/kept.txt"] == b"kept"


def test_a_further_mount_is_seen(containers: Make, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference/r.txt").write_text("r")
    made = containers(mounts=[f"{tmp_path}/reference:/reference:ro"])
    ok(made.run("print(open('/reference/r.txt').read())"))
    assert made.printed() == "r"


def test_a_script_cannot_make_the_worker_read_or_write_what_it_does_not_see(
    containers: Make, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of the worker")
    made = containers()
    forge = f"""
import json, os
from mlsteps.run import Run
run = Run.get_context()
run.log("x", 1)
def upload(name, path):
    with open(os.path.join(os.environ["MLSTEPS_RUN_DIRECTORY"], "journal.jsonl"), "a") as journal:
        journal.write(json.dumps({{"event": "upload", "target": "self", "name": name, "path": path}}) + "\\n")
os.symlink({str(secret)!r}, os.path.join(os.environ["MLSTEPS_RUN_DIRECTORY"], "uploads", "link"))
upload("stolen-by-path.txt", {os.path.relpath(secret, "/")!r})
upload("stolen-by-absolute-path.txt", {str(secret)!r})
upload("stolen-by-link.txt", "uploads/link")
open(os.path.join(os.environ["MLSTEPS_RUN_DIRECTORY"], "uploads", "mine"), "w").write("mine")
upload({str(tmp_path / "planted.txt")!r}, "uploads/mine")
upload("../../../planted.txt", "uploads/mine")
upload("good.txt", "uploads/mine")
"""
    ok(made.run(forge))
    assert "of the worker" not in str(made.bench.kept)
    assert made.bench.kept["files/good.txt"] == b"mine"
    assert not list(tmp_path.rglob("planted.txt"))
    assert sum("is not kept: it is no file of the run" in line for _, line in made.bench.lines) == 5
    # The engine's and the worker's machine have this file alike, but the script's is another one.
    with pytest.raises(UserErrorException) as outcome:
        made.run(
            "import os, sys; os.symlink('/etc/hostname', sys.argv[1])",
            "$out_target",
            outputs=(made.bench.writes("target", "made/target.txt", collect_from="target.txt"),),
        )
    assert "Output 'target': 'target.txt' is a link out of the folders" in str(outcome.value)
    assert made.bench.store.stat("made/target.txt") is None


def test_a_script_cannot_have_a_folder_of_the_worker_kept(containers: Make, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/secret.txt").write_text("of the worker")
    made = containers()
    swap = f"""
import os
kept = os.path.join(os.path.dirname(os.environ["MLSTEPS_RUN_DIRECTORY"]), "kept")
os.rename(kept, kept + ".away")
os.symlink({str(tmp_path / "beside")!r}, kept)
"""
    made.run(swap)
    assert "of the worker" not in str(made.bench.kept)
