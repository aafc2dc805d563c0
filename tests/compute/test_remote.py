"""RemoteCompute on jobs of its own, on a real SSH server: what a script sees, comes back, and is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compute.jobs import Bench, ok, wait_for
from mlsteps.compute import JobOutcome, LocalCompute, RemoteCompute, create_compute_target
from mlsteps.environment import (
    CondaDependencies,
    Environment,
    EnvironmentLocks,
    RunConfiguration,
    plan_environment,
)
from mlsteps.exceptions import ComputeTargetException, EnvironmentBuildError
from servers.debian import ServerMissing, skip_or_fail
from servers.ssh_server import SshServer, ssh_server

pytestmark = [pytest.mark.xdist_group("ssh"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    try:
        with ssh_server() as made:
            yield made
    except ServerMissing as missing:
        skip_or_fail(missing)


class Remote:
    """Jobs on the machine behind the server; its folder is ``there``."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.there = root / "there"
        self.target = RemoteCompute("vm", "vm", work_directory=str(self.there), **settings)
        self.bench = Bench(root / "here", self.target)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        return self.bench.run(script, *arguments, **changes)

    def left(self) -> list[Path]:
        """Folders of jobs that are still there."""
        return list((self.there / "jobs").glob("*"))

    def printed(self, stream: str = "stdout") -> str:
        return "\n".join(line for name, line in self.bench.lines if name == stream)


@pytest.fixture
def remote(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    monkeypatch.setenv("AIRFLOW_CONN_VM", server.connection())
    made = Remote(tmp_path)
    yield made
    assert wait_for(lambda: not made.left()), "a job's folder was left behind"


COPY = """
import os, sys
source, target, folder = sys.argv[1:]
text = open(os.path.join(source, "a.txt")).read()
open(target, "w").write(text.upper())
os.makedirs("outputs", exist_ok=True)
open("outputs/kept.txt", "w").write("kept")
os.makedirs(os.path.join(folder, "deep"))
open(os.path.join(folder, "deep", "b \\u00e4.txt"), "w").write("b")
open(os.path.join(folder, "empty"), "w")
from mlsteps.run import Run
run = Run.get_context()
run.log("rows", 3)
run.upload_file("up.txt", os.path.join(source, "a.txt"))
"""


def copy(bench: Bench) -> JobOutcome:
    bench.put("data/a.txt", "abc")
    bench.put("data/deep/b.txt", "b")
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


def test_a_job_gives_the_same_as_on_this_machine(remote: Remote, tmp_path: Path) -> None:
    here = Bench(tmp_path / "local", LocalCompute())
    one, other = ok(copy(remote.bench)), ok(copy(here))
    assert one.manifests == other.manifests
    assert one.exit_code == other.exit_code == 0
    assert [e["value"] for e in one.events if e["event"] == "metric"] == [3]
    assert remote.bench.store.read("made/job/target.txt") == b"ABC"
    assert remote.bench.store.read("kept/folder/deep/b ä.txt") == b"b"
    assert remote.bench.kept["files/outputs/kept.txt"] == b"kept"
    assert remote.bench.kept["files/up.txt"] == b"abc"
    assert set(remote.bench.kept) == set(here.kept)
    assert one.command[0] != sys.executable
    assert str(remote.there) in " ".join(one.command)
    assert str(remote.bench.root) not in " ".join(one.command)
    assert remote.left() == []


def test_a_script_gets_declared_variables_and_nothing_of_the_worker_and_its_end_comes_through(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "the-key-that-nobody-may-see")
    script = "import os, sys; print(sorted(os.environ)); print('err', file=sys.stderr); sys.exit(7)"
    outcome = remote.run(script, variables={"DECLARED": "yes"})
    assert (outcome.exit_code, outcome.error) == (7, "The script ended with exit code 7.")
    assert remote.printed("stderr") == "err"
    assert outcome.stderr_tail == ("err",)
    names = remote.printed()
    assert "DECLARED" in names and "'PATH'" in names and "'HOME'" in names
    assert "TOKEN" not in names and "AIRFLOW" not in names and "SSH" not in names
    texts = [path.read_bytes() for path in remote.there.rglob("*") if path.is_file()]
    assert not any(b"the-key-that-nobody" in text for text in texts)


def test_what_was_sent_once_is_not_sent_again(remote: Remote) -> None:
    ok(remote.run("pass"))
    kept = sorted((remote.there / "snapshots").iterdir()) + sorted((remote.there / "programs").iterdir())
    nodes = [path.stat().st_ino for path in kept]
    assert len(kept) == 3
    kept[0].write_bytes(b"cut")
    ok(remote.run("pass"))
    assert [path.stat().st_ino for path in kept[1:]] == nodes[1:]
    assert kept[0].stat().st_size > 3  # one that was cut off is replaced


def test_metrics_come_while_the_script_runs(remote: Remote) -> None:
    script = (
        "from mlsteps.run import Run; import os, sys, time; Run.get_context().log('loss', 1)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.1)"
    )
    go = remote.bench.root / "go"
    thread = threading.Thread(target=lambda: remote.run(script, str(go)))
    thread.start()
    try:
        wait_for(lambda: [e for e in remote.bench.events if e["event"] == "metric"], 15)
        assert thread.is_alive()
    finally:
        go.touch()
        thread.join(30)


DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"


def begun(remote: Remote, script: str) -> tuple[threading.Thread, list[Any]]:
    """A thread whose script has printed ``on``, and what it will have as outcome or error."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(remote.run(script))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: ("stdout", "on") in remote.bench.lines or ended)
    assert not ended
    return thread, ended


def test_stopping_ends_the_script_within_airflows_patience(remote: Remote) -> None:
    thread, ended = begun(remote, DEAF)
    began = time.monotonic()
    remote.bench.watcher.stop()
    thread.join(20)
    assert time.monotonic() - began < 5
    assert ended[0].error == "The script was stopped because its task was."


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("Needs root, and to be allowed to mount a small disk.")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_there_is_told_of(remote: Remote, small_disk: Path) -> None:
    remote.bench.put("big.bin", "x" * (4 << 20))
    bench = Bench(remote.bench.root, RemoteCompute("vm", "vm", work_directory=str(small_disk)))
    with pytest.raises(ComputeTargetException, match=r"'vm': .*No space left on device.* Make some"):
        bench.run("pass", inputs=(remote.bench.reads("big", "big.bin"),))
    assert wait_for(lambda: not list((small_disk / "jobs").glob("*")))


WORKER = """
import sys
from pathlib import Path
from compute.jobs import Bench, ok, wait_for
from mlsteps.compute import RemoteCompute
bench = Bench(Path(sys.argv[1]), RemoteCompute("vm", "vm", work_directory=sys.argv[2]))
bench.watcher.on_line = lambda stream, line: print(line, flush=True)
bench.run("import os, time; print('on', os.getpid(), flush=True); time.sleep(600)")
"""


def test_the_script_of_a_killed_worker_ends_and_its_folder_goes(remote: Remote, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "worker"), str(remote.there)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as worker:
        assert worker.stdout is not None
        words: list[str] = []
        while words[:1] != ["on"]:
            words = worker.stdout.readline().split()
            assert worker.poll() is None
        assert len(remote.left()) == 1
        worker.send_signal(signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: not os.path.exists(f"/proc/{words[1]}"), 10)
    wait_for(lambda: not remote.left(), 10)
    assert time.monotonic() - began < 10


def test_what_a_machine_left_that_was_switched_off_is_swept_away(remote: Remote) -> None:
    left = remote.there / "jobs" / "job.0"
    left.mkdir(parents=True)
    (left / "owner.lock").touch()
    (left / "data").write_text("much")
    ok(remote.run("pass"))
    assert not left.exists()


def test_a_lost_connection_is_told_as_such(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    import paramiko

    clients: list[paramiko.SSHClient] = []
    connect = paramiko.SSHClient.connect

    def noted(self: paramiko.SSHClient, *args: Any, **kwargs: Any) -> None:
        clients.append(self)
        connect(self, *args, **kwargs)

    monkeypatch.setattr(paramiko.SSHClient, "connect", noted)
    thread, ended = begun(remote, "import time; print('on', flush=True); time.sleep(600)")
    transport = clients[0].get_transport()
    assert transport is not None
    transport.sock.close()
    thread.join(20)
    assert isinstance(ended[0], ComputeTargetException)
    assert "connection to the machine was lost while the script was running" in str(ended[0])
    assert "not the script's" in str(ended[0])


def test_an_output_that_changes_on_the_way_is_noticed(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.compute.remote.machine import Machine

    fetch = Machine.fetch

    def garbled(self: Machine, folder: str, names: Any, target: Path, end: Any) -> None:
        fetch(self, folder, names, target, end)
        for path in target.glob("outputs/*"):
            path.write_text("xyz")

    monkeypatch.setattr(Machine, "fetch", garbled)
    with pytest.raises(ComputeTargetException, match=r"Output 'o': what arrived is not what"):
        remote.run(
            "import sys; open(sys.argv[1], 'w').write('abc')",
            "$out_o",
            outputs=(remote.bench.writes("o", "made/o.txt"),),
        )
    assert remote.bench.store.stat("made/o.txt") is None


def test_many_files_arrive_as_they_are(remote: Remote) -> None:
    for number in range(300):
        remote.bench.put(f"many/{number % 7}/{number}.bin", "x" * number)
    ok(
        remote.run(
            "import os, sys\n"
            "found = [os.path.join(p, n) for p, _, names in os.walk(sys.argv[1]) for n in names]\n"
            "print(len(found), sum(map(os.path.getsize, found)))",
            "$in_many",
            inputs=(remote.bench.reads("many", "many", "download"),),
        )
    )
    assert remote.printed() == f"300 {sum(range(300))}"


def configured(*packages: str) -> RunConfiguration:
    environment = Environment("e")
    for package in packages:
        environment.python.conda_dependencies.add_pip_package(package)
    configuration = RunConfiguration()
    configuration.environment = environment
    return configuration


def test_packages_are_installed_there_once(remote: Remote, tmp_path: Path) -> None:
    script = "import colorama, sys; print(colorama.__version__, sys.executable)"
    outcome = ok(remote.run(script, run_configuration=configured("colorama==0.4.6")))
    version, python = remote.printed().split()
    assert version == "0.4.6"
    assert python.startswith(f"{remote.there}/environments/")
    assert outcome.environment["packages"] == {"colorama": "0.4.6"}
    made = Path(python).parents[1].stat().st_ino
    ok(remote.run(script, run_configuration=configured("colorama==0.4.6")))
    assert Path(python).parents[1].stat().st_ino == made
    # The same packages for the same Python are the same here.
    locks = EnvironmentLocks(remote.bench.store, tmp_path / "environments")
    minor = outcome.environment["python"] and Path(python).resolve().name.removeprefix("python")
    dependencies = CondaDependencies.create(python_version=minor, pip_packages=["colorama==0.4.6"])
    plan = plan_environment(configured("colorama==0.4.6"))
    here = LocalCompute().environment_identity(plan_environment(dependencies), locks, tmp_path)
    assert remote.target.environment_identity(plan, locks, tmp_path) == here


def test_packages_that_cannot_be_had_are_told_of(remote: Remote) -> None:
    with pytest.raises(EnvironmentBuildError, match="no-such-package-of-mlsteps"):
        remote.run("pass", run_configuration=configured("no-such-package-of-mlsteps==1"))


def test_who_asks_for_nothing_counts_by_the_interpreter_there(remote: Remote, tmp_path: Path) -> None:
    locks = EnvironmentLocks(remote.bench.store, tmp_path / "environments")
    identity = remote.target.environment_identity(plan_environment(None), locks, tmp_path)
    assert identity["kind"] == "explicit interpreter"
    assert identity["python"].startswith("3.")
    assert isinstance(identity["packages"], dict)


def test_container_images_are_refused(remote: Remote) -> None:
    configuration = RunConfiguration()
    configuration.environment = Environment.from_docker_image("e", "python:3.11")
    with pytest.raises(ComputeTargetException, match=r"'vm': .* is a container image.*type docker"):
        remote.run("pass", run_configuration=configuration)


def test_a_path_outside_of_the_jobs_folder_is_refused(remote: Remote) -> None:
    remote.bench.put("data/a.txt", "abc")
    reads = remote.bench.reads("source", "data", "download", "/somewhere/else")
    with pytest.raises(ComputeTargetException, match="/somewhere/else.*relative to the working directory"):
        remote.run("pass", inputs=(reads,))


def test_why_a_machine_cannot_be_used_is_said_in_words(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tenacity.nap

    # The hook tries three times, with seconds in between.
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda seconds: None))
    for connection, told in (
        (server.connection(key="other_key"), "refuses the key or password of the connection 'vm'"),
        (server.connection(host_key=None), "the host key of .* is not known. Put host_key into"),
        (server.connection(host_key=(server.folder / "other_key.pub").read_text()), "has another host key"),
        (server.connection(host="no-such-host.invalid"), "the host of .*no-such-host.invalid:.* is unknown"),
        (json.dumps({"conn_type": "ssh", "host": "127.0.0.1", "port": 1}), "no SSH server answers at"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_VM", connection)
        with pytest.raises(ComputeTargetException, match=rf"target 'vm': .*{told}") as raised:
            Remote(tmp_path).run("pass")
        assert "PRIVATE KEY" not in str(raised.value)
    monkeypatch.setenv("AIRFLOW_CONN_VM", server.connection())
    with pytest.raises(ComputeTargetException, match=r"'no-python' does not run there, .*3\.9 or newer"):
        Remote(tmp_path, python="no-python").run("pass")
    with pytest.raises(ComputeTargetException, match="target 'vm': /proc/.* cannot be written there"):
        Bench(tmp_path, RemoteCompute("vm", "vm", work_directory="/proc/mlsteps")).run("pass")


def test_settings_make_the_same_target_again() -> None:
    target = RemoteCompute(
        "vm", "my_vm", python="/opt/python", work_directory="/big/", packages=["pandas>=2"]
    )
    described = dict(target.describe())
    assert described == {
        "type": "remote",
        "name": "vm",
        "ssh_conn_id": "my_vm",
        "python": "/opt/python",
        "work_directory": "/big",
        "packages": ["pandas>=2"],
    }
    again = create_compute_target(described.pop("name"), described)
    assert repr(again) == repr(target)
    for settings, told in (
        ({"work_directory": "jobs"}, "work_directory is a path that begins with"),
        ({"packages": "pandas"}, "packages is a list of pip requirements"),
        ({"python": ""}, "python is a text"),
    ):
        with pytest.raises(ComputeTargetException, match=told):
            RemoteCompute("vm", **settings)


def test_attaching_takes_a_connection_and_no_credentials() -> None:
    made = RemoteCompute.attach_configuration(ssh_conn_id="my_vm", python="/opt/python")
    assert made.settings == {"type": "remote", "ssh_conn_id": "my_vm", "python": "/opt/python"}
    with pytest.raises(ComputeTargetException, match=r"attach_configuration\(ssh_conn_id=...\)") as raised:
        RemoteCompute.attach_configuration("me", address="vm.example.org", password="s3cret")
    assert "s3cret" not in str(raised.value)
