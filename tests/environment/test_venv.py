from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlsteps.environment import CondaDependencies, PythonEnvironmentSpec, VirtualEnvironments, python_for
from mlsteps.environment import venv as venv_module
from mlsteps.environment.interpreters import find_interpreter
from mlsteps.exceptions import EnvironmentBuildError

Offline = tuple[str, ...]


def _versions(python: Path, *modules: str) -> list[str]:
    code = "; ".join(f"import {name}; print({name}.__version__)" for name in modules)
    return subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def _wait_for(path: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_from_the_registry(tmp_path: Path) -> None:
    lines: list[str] = []
    dependencies = CondaDependencies.create(
        pip_packages=["six==1.16.0", "azureml-defaults"], conda_packages=["iniconfig"]
    )
    python = python_for(dependencies, VirtualEnvironments(tmp_path), lines.append)
    assert _versions(python, "six") == ["1.16.0"]
    assert any("azureml-defaults is not installed" in line for line in lines)
    assert any("six" in line and "1.16.0" in line for line in lines[2:])


def test_built_once_and_found_again(tmp_path: Path, offline: Offline) -> None:
    environments = VirtualEnvironments(tmp_path)
    lines: list[str] = []
    python = environments.get_or_build(PythonEnvironmentSpec(None, ("tinyone==1.0",), offline), lines.append)
    assert lines[0].startswith("Building the environment")
    assert "is ready after" in lines[-1]
    assert _versions(python, "tinyone") == ["1.0"]
    last_used = python.parent.parent.parent / "last_used"
    os.utime(last_used, (0, 0))
    again = environments.get_or_build(PythonEnvironmentSpec(None, ("TinyOne == 1.0",), offline), lines.append)
    assert again == python
    assert sum(line.startswith("Building") for line in lines) == 1
    assert last_used.stat().st_mtime > 0
    record = json.loads((last_used.parent / "ready.json").read_text())
    assert record["packages"] == ["tinyone==1.0"]
    other = environments.get_or_build(PythonEnvironmentSpec(None, ("tinyone==2.0",), offline))
    assert other != python


def test_holds_neither_airflow_nor_mlsteps(tmp_path: Path, offline: Offline) -> None:
    python = VirtualEnvironments(tmp_path).get_or_build(PythonEnvironmentSpec(None, ("tinytwo",), offline))
    code = (
        "import importlib.util as u; print([n for n in ('airflow', 'mlsteps', 'pytest') if u.find_spec(n)])"
    )
    assert subprocess.run([python, "-I", "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_another_python_version(tmp_path: Path, offline: Offline) -> None:
    wanted = "3.10" if sys.version_info[:2] != (3, 10) else "3.11"
    try:
        find_interpreter(wanted, shutil.which("uv"))
    except EnvironmentBuildError as error:
        pytest.skip(str(error))
    python = VirtualEnvironments(tmp_path).get_or_build(PythonEnvironmentSpec(wanted, ("tinyone",), offline))
    code = "import sys, tinyone; print('%d.%d' % sys.version_info[:2])"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip() == wanted


def test_without_uv(tmp_path: Path, offline: Offline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv_module, "find_uv", lambda: None)
    lines: list[str] = []
    spec = PythonEnvironmentSpec(None, ("tinyone",), (*offline, "--prefer-binary"))
    python = VirtualEnvironments(tmp_path).get_or_build(spec, lines.append)
    assert _versions(python, "tinyone") == ["2.0"]
    assert "with pip, Python" in lines[0]


def _ask(
    root: str, offline: Offline, start: float, answers: multiprocessing.Queue[tuple[str, list[str]]]
) -> None:
    time.sleep(max(0.0, start - time.time()))
    lines: list[str] = []
    spec = PythonEnvironmentSpec(None, ("tinyone", "tinytwo"), offline)
    answers.put((str(VirtualEnvironments(root).get_or_build(spec, lines.append)), lines))


def test_ten_processes_build_once(tmp_path: Path, offline: Offline) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[str, list[str]]] = context.Queue()
    arguments = (str(tmp_path), offline, time.time() + 0.5, answers)
    processes = [context.Process(target=_ask, args=arguments) for _ in range(10)]
    for process in processes:
        process.start()
    given = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({python for python, _ in given}) == 1
    assert sum(any(line.startswith("Building") for line in lines) for _, lines in given) == 1
    waiting = [line for _, lines in given for line in lines if line.startswith("Waiting")]
    assert waiting and all("tinyone, tinytwo" in line and "process " in line for line in waiting)
    assert len(list(tmp_path.glob("*/ready.json"))) == 1
    assert len(list(tmp_path.glob("*/*/pyvenv.cfg"))) == 1


_BUILDER = """
import sys
from mlsteps.environment import PythonEnvironmentSpec, VirtualEnvironments
spec = PythonEnvironmentSpec(None, ("tinyone",), tuple(sys.argv[2:]))
VirtualEnvironments(sys.argv[1]).get_or_build(spec, print)
"""


def test_killed_builder_is_no_obstacle(
    tmp_path: Path, offline: Offline, hanging_uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "environments"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    builder = subprocess.Popen([sys.executable, "-c", _BUILDER, str(root), *offline], env=environment)
    _wait_for(hanging_uv)
    orphan = int(hanging_uv.read_text())
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    try:
        assert _is_alive(orphan)
        left = list(root.glob("*/*/pyvenv.cfg"))
        assert len(left) == 1 and not list(root.glob("*/ready.json"))
        monkeypatch.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
        spec = PythonEnvironmentSpec(None, ("tinyone",), offline)
        python = VirtualEnvironments(root, timeout=30).get_or_build(spec)
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert _versions(python, "tinyone") == ["2.0"]
    assert not left[0].exists()


def test_too_slow_is_stopped_with_its_children(tmp_path: Path, offline: Offline, hanging_uv: Path) -> None:
    lines: list[str] = []
    with pytest.raises(EnvironmentBuildError, match=r"(?s)was stopped after 1 seconds.*installing"):
        spec = PythonEnvironmentSpec(None, ("tinyone",), offline)
        VirtualEnvironments(tmp_path / "e", timeout=1).get_or_build(spec, lines.append)
    assert not _is_alive(int(hanging_uv.read_text()))


def test_interrupted_build_ends_the_installer(tmp_path: Path, offline: Offline, hanging_uv: Path) -> None:
    def interrupt(line: str) -> None:
        if line == "installing":
            _wait_for(hanging_uv)
            raise KeyboardInterrupt

    spec = PythonEnvironmentSpec(None, ("tinyone",), offline)
    with pytest.raises(KeyboardInterrupt):
        VirtualEnvironments(tmp_path / "e").get_or_build(spec, interrupt)
    assert not _is_alive(int(hanging_uv.read_text()))


def test_failure_is_shared_with_those_who_waited(tmp_path: Path, offline: Offline, hanging_uv: Path) -> None:
    environments = VirtualEnvironments(tmp_path / "e", timeout=60)
    spec = PythonEnvironmentSpec(None, ("tinyone",), offline)
    errors: list[str] = []
    lines: list[str] = []

    def ask() -> None:
        try:
            environments.get_or_build(spec, lines.append)
        except EnvironmentBuildError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    _wait_for(hanging_uv)
    while sum(line.startswith("Waiting") for line in lines) < 2:
        time.sleep(0.02)
    os.kill(int(hanging_uv.read_text()), signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert len(errors) == 3 and len(set(errors)) == 1
    assert "signal SIGTERM" in errors[0]
    assert sum(line.startswith("Building") for line in lines) == 1


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentBuildError, match="cannot be made in"):
        VirtualEnvironments(tmp_path / "file").get_or_build(PythonEnvironmentSpec(None, ("tinyone",)))


def test_gone_interpreter_is_noticed(tmp_path: Path, offline: Offline) -> None:
    environments = VirtualEnvironments(tmp_path)
    spec = PythonEnvironmentSpec(None, ("tinyone",), offline)
    python = environments.get_or_build(spec)
    python.unlink()
    python.symlink_to("/no/such/python")
    assert environments.get_or_build(spec) != python


class _Index(BaseHTTPRequestHandler):
    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_error(404, f"nothing at {self.path}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("with_uv", [True, False])
def test_failure_shows_no_credentials(
    tmp_path: Path, with_uv: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if not with_uv:
        monkeypatch.setattr(venv_module, "find_uv", lambda: None)
    handler = type("Index", (_Index,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        dependencies = CondaDependencies.create(
            pip_indexurl=f"http://someuser:hunter%212@{host}/simple",
            pip_packages=["no-such-package-anywhere==1"],
        )
        lines: list[str] = []
        with pytest.raises(EnvironmentBuildError) as caught:
            python_for(dependencies, VirtualEnvironments(tmp_path), lines.append)
        server.shutdown()
    assert "no-such-package-anywhere" in str(caught.value)
    assert "ended with exit code 1" in str(caught.value)
    assert any(handler.seen)  # type: ignore[attr-defined]  # the installer did get the credentials
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.json"))
    everything = f"{caught.value}{lines}{caplog.text}{written}"
    assert "failed.json" in str(list(tmp_path.rglob("*.json")))
    for secret in ("someuser", "hunter%212", "hunter!2"):
        assert secret not in everything
