from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlsteps.environment.interpreters import find_interpreter, probe, running_interpreter
from mlsteps.exceptions import EnvironmentBuildError


def _fake_python(path: Path, version: tuple[int, int, int], real: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'[{list(version)}, "cpython", "linux-x86_64", "{real}"]\'\n')
    path.chmod(0o755)


def test_running_one_serves_when_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    running = running_interpreter()
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert running.release.startswith(minor)
    assert find_interpreter(None) == find_interpreter(minor) == find_interpreter(">=3.9") == running
    assert probe(running.path) == running


def test_newest_of_pyenv_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = tmp_path / "pyenv" / "versions"
    _fake_python(versions / "3.99.2" / "bin" / "python", (3, 99, 2), "/pyenv/3.99.2")
    _fake_python(versions / "3.99.10" / "bin" / "python", (3, 99, 10), "/pyenv/3.99.10")
    _fake_python(tmp_path / "bin" / "python3.98", (3, 98, 1), "/path/3.98")
    _fake_python(tmp_path / "bin" / "python3.99", (1, 0, 0), "/path/not what it says")
    broken = tmp_path / "bin" / "python3.97"
    broken.symlink_to("/no/such/python")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{tmp_path / 'missing'}{os.pathsep}/bin")
    assert find_interpreter("3.99").path == Path("/pyenv/3.99.10")
    assert find_interpreter("3.98").path == Path("/path/3.98")
    assert find_interpreter(">=3.98,<3.99").release == "3.98.1"
    with pytest.raises(
        EnvironmentBuildError, match=r"Python 3\.97 is not installed.*3\.98\.1, 3\.99\.2, 3\.99\.10"
    ):
        find_interpreter("3.97")


def test_uv_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_python(tmp_path / "managed" / "python3.99", (3, 99, 1), "/managed")
    uv = tmp_path / "uv"
    log = tmp_path / "asked"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$2" = find ] && echo {tmp_path}/managed/python3.99\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_interpreter("3.99", str(uv)).path == Path("/managed")
    assert "install" not in log.read_text()
    monkeypatch.setenv("MLSTEPS_ALLOW_PYTHON_DOWNLOADS", "1")
    find_interpreter("3.99", str(uv))
    assert "python install 3.99" in log.read_text()
