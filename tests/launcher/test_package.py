"""The launcher is one file that needs nothing but a Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mlsteps.launcher import package
from mlsteps.launcher.job import OutputSpec
from mlsteps.launcher.package import build_launcher_zip

from .cloud import Cloud, with_input, with_output, with_report
from .conftest import DEADLINE, Launcher

OLDEST = "3.9"


def oldest_python() -> str | None:
    """Return the oldest Python that the launcher supports, if this machine has it."""
    candidates = [*Path.home().glob(f".pyenv/versions/{OLDEST}*/bin/python"), shutil.which(f"python{OLDEST}")]
    for candidate in candidates:
        if candidate is not None:
            done = subprocess.run([candidate, "--version"], capture_output=True, text=True)
            if done.stdout.startswith(f"Python {OLDEST}."):
                return str(candidate)
    return None


def test_the_zip_is_the_same_every_time_and_reused(tmp_path: Path) -> None:
    one, other = build_launcher_zip(tmp_path / "a"), build_launcher_zip(tmp_path / "b")
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()
    before = one.stat()
    assert build_launcher_zip(tmp_path / "a") == one
    assert (one.stat().st_ino, one.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list((tmp_path / "a").iterdir()) == [one]


def test_other_code_has_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = build_launcher_zip(tmp_path).name
    monkeypatch.setattr(package, "_MAIN", package._MAIN + b"\n")
    assert build_launcher_zip(tmp_path).name != name


def test_the_zip_holds_only_what_a_script_needs(launcher_zip: Path) -> None:
    with zipfile.ZipFile(launcher_zip) as archive:
        names = archive.namelist()
    needed = {"__main__.py", "mlsteps/__init__.py", "mlsteps/exceptions.py", "mlsteps/launcher/runner.py"}
    assert needed <= set(names)
    for name in names:
        folder = name.split("/")[1] if name.count("/") > 1 else ""
        assert name.endswith(".py") and folder in ("", "launcher", "run")


def test_the_launcher_uses_nothing_but_the_standard_library(launcher_zip: Path) -> None:
    code = (
        "import sys, zipfile, importlib\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in zipfile.ZipFile(sys.argv[1]).namelist():\n"
        "    if name.startswith('mlsteps/launcher/'):\n"
        "        importlib.import_module(name[:-3].replace('/', '.'))\n"
        "print(sorted(name for name in sys.modules if name.startswith('mlsteps')))"
    )
    command = [oldest_python() or sys.executable, "-I", "-S", "-c", code, str(launcher_zip)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    foreign = set(eval(done.stdout)) - {"mlsteps", "mlsteps.exceptions", "mlsteps.launcher"}
    assert all(name.startswith("mlsteps.launcher.") for name in foreign), foreign


def test_the_launcher_runs_on_the_oldest_python(launcher: Launcher) -> None:
    python = oldest_python()
    if python is None:
        pytest.skip(f"there is no Python {OLDEST} on this machine")
    done = launcher.shell("echo out; sleep 60 & exit 3").run(python)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"")
    assert launcher.alive() == []


def test_the_unpacked_zip_runs_too(launcher: Launcher, tmp_path: Path) -> None:
    with zipfile.ZipFile(launcher.zip) as archive:
        archive.extractall(tmp_path / "unpacked")
    launcher.zip = tmp_path / "unpacked"
    assert launcher.shell("exit 3").run().returncode == 3


def test_a_wrong_command_line_is_explained(launcher_zip: Path) -> None:
    done = subprocess.run([sys.executable, str(launcher_zip)], capture_output=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (
        2,
        b"usage: python launcher.zip JOB.json, or - for standard input, or MLSTEPS_JOB=... without\n",
    )


def test_the_launcher_starts_fast(launcher: Launcher) -> None:
    """Against a bare Python on the same machine; the limit is far above what is usual."""

    def fastest(command: list[str]) -> float:
        times = []
        for _ in range(5):
            begin = time.monotonic()
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            times.append(time.monotonic() - begin)
        return min(times)

    assert fastest(launcher.command()) - fastest([sys.executable, "-I", "-S", "-c", "pass"]) < 0.3


def test_data_is_moved_on_the_oldest_python(launcher: Launcher, cloud: Cloud) -> None:
    python = oldest_python()
    if python is None:
        pytest.skip(f"there is no Python {OLDEST} on this machine")
    source = with_input(launcher, cloud, {"a": b"1", "large": bytes(9 << 20)})
    target = with_output(launcher, cloud)
    with_report(launcher, cloud)
    done = launcher.shell(f"cp {source}/* {target}; echo 2 >outputs/b").run(python)
    assert done.returncode == 0, done.stderr
    assert cloud.blobs("out/") == {"out/a": b"1", "out/large": bytes(9 << 20)}
    assert cloud.read("run/files/outputs/b") == b"2\n"
    assert set(cloud.result.phases) == {"stage", "report", "publish"}


def test_a_local_job_imports_nothing_for_the_web(launcher: Launcher) -> None:
    spec = OutputSpec("o", "o", True, str(launcher.folder / "m.json"))
    launcher.job = replace(launcher.job, outputs=(spec,))
    command = launcher.shell("true").command()
    done = subprocess.run([command[0], "-X", "importtime", *command[1:]], capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == 0 and "mlsteps.launcher.runner" in imported
    heavy = {"http.client", "ssl", "urllib.request", "urllib.parse", "email.parser", "base64"}
    ours = {
        f"mlsteps.launcher.{name}" for name in ("web", "fetching", "sending", "reporting", "places", "inputs")
    }
    assert not imported & (heavy | ours)
