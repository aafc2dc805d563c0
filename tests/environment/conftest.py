"""A package source made here, so that builds need neither network nor time, and a fake installer."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest


def make_wheel(
    folder: Path, name: str, version: str, requires: tuple[str, ...] = (), python: str = "", script: str = ""
) -> Path:
    """Write the smallest wheel there is: one module with a version, and a command if it is to have one."""
    more = "".join(f"Requires-Dist: {item}\n" for item in requires)
    more += f"Requires-Python: {python}\n" if python else ""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        main = f"import sys\ndef main():\n    print('{name} runs in', sys.prefix)\n"
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n{main}")
        if script:
            archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{script} = {name}:main\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels tinyone 1.0 and 2.0 and tinytwo 1.0."""
    folder = tmp_path_factory.mktemp("wheels")
    for name, version in (("tinyone", "1.0"), ("tinyone", "2.0"), ("tinytwo", "1.0")):
        make_wheel(folder, name, version)
    return folder


@pytest.fixture
def offline(wheels: Path) -> tuple[str, ...]:
    """Pip options that make ``wheels`` the only source of packages."""
    return ("--no-index", f"--find-links {wheels}")


@pytest.fixture
def hanging_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a uv on PATH that makes environments and hangs on installing; gives the file with its pid."""
    real = shutil.which("uv")
    if real is None:
        pytest.skip("uv is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    pid_file = tmp_path / "installer.pid"
    script = folder / "uv"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = venv ]; then exec {real} "$@"; fi\n'
        f"echo installing\necho $$ > {pid_file}.part && mv {pid_file}.part {pid_file}\nexec sleep 120\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return pid_file
