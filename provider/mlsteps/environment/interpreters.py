"""Finds the Python interpreter on this machine that an environment is to be made from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlsteps.environment.spec import python_matches
from mlsteps.exceptions import EnvironmentBuildError

ALLOW_DOWNLOADS = "MLSTEPS_ALLOW_PYTHON_DOWNLOADS"
"""Environment variable: ``1`` lets uv download a Python version that is not installed."""

_PROBE = (
    "import json, sys, sysconfig; "
    "print(json.dumps([sys.version_info[:3], sys.implementation.name, sysconfig.get_platform(), "
    "getattr(sys, '_base_executable', None) or sys.executable]))"
)
_PROBE_SECONDS = 30
_DOWNLOAD_SECONDS = 600


@dataclass(frozen=True)
class Interpreter:
    """An installed Python: the real path of its executable, its version, implementation and platform."""

    path: Path
    version: tuple[int, int, int]
    implementation: str
    platform: str

    @property
    def release(self) -> str:
        """The version as text, such as ``3.10.13``."""
        return ".".join(map(str, self.version))


def running_interpreter() -> Interpreter:
    """Return the interpreter that runs this process; the one behind it, if this is a virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    platform = sysconfig.get_platform()
    return Interpreter(Path(base).resolve(), sys.version_info[:3], sys.implementation.name, platform)


def find_interpreter(wanted: str | None, uv: str | None = None) -> Interpreter:
    """Return an interpreter for a normalised Python version or range.

    The running one if it will do; else the newest that matches among pyenv's and those on ``PATH``; else what
    uv knows of. Nothing is downloaded unless ``MLSTEPS_ALLOW_PYTHON_DOWNLOADS=1``.

    Args:
        wanted: ``3.10``, a range, or ``None`` for the running one.
        uv: the path of uv, if there is one.

    Raises:
        EnvironmentBuildError: there is none; the text lists those there are.
    """
    running = running_interpreter()
    if wanted is None or python_matches(wanted, running.version):
        return running
    for found in (_newest(_installed(wanted), wanted), _newest(_known_to_uv(wanted, uv), wanted)):
        if found is not None:
            return found
    there = sorted({running.version, *(item.version for item in _probed(_installed(None)))})
    listed = ", ".join(".".join(map(str, version)) for version in there)
    raise EnvironmentBuildError(
        f"Python {wanted} is not installed on this machine; there are: {listed}. Install it (for example "
        f"with 'uv python install {wanted}'), set {ALLOW_DOWNLOADS}=1, or ask for one of these versions."
    )


def _newest(paths: Iterator[Path], wanted: str) -> Interpreter | None:
    matching = [item for item in _probed(paths) if python_matches(wanted, item.version)]
    return max(matching, key=lambda item: (item.version, str(item.path)), default=None)


def _probed(paths: Iterator[Path]) -> Iterator[Interpreter]:
    for path in dict.fromkeys(paths):
        interpreter = probe(path)
        if interpreter is not None:
            yield interpreter


def probe(path: Path) -> Interpreter | None:
    """Return what the executable at ``path`` is, or ``None`` if it does not work, as a dead link."""
    try:
        command = [str(path), "-I", "-S", "-c", _PROBE]
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        version, implementation, platform, base = json.loads(ended.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    major, minor, patch = version
    return Interpreter(Path(base).resolve(), (major, minor, patch), implementation, platform)


def _installed(wanted: str | None) -> Iterator[Path]:
    """Yield executables whose names do not rule out ``wanted``."""
    minor = wanted if wanted and re.fullmatch(r"\d+\.\d+", wanted) else None
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in sorted(pyenv.glob("3.*")):
        if minor is None or version.name == minor or version.name.startswith(f"{minor}."):
            yield version / "bin" / "python"
    for folder in os.get_exec_path():
        if Path(folder).name == "shims":  # pyenv's, listed above; slow, and most of them fail
            continue
        for executable in sorted(Path(folder).glob(f"python{minor or '3.*'}")):
            if re.fullmatch(r"python3\.\d+", executable.name):
                yield executable


def _known_to_uv(wanted: str, uv: str | None) -> Iterator[Path]:
    if uv is None:
        return
    if downloads_allowed():
        _output([uv, "python", "install", wanted], _DOWNLOAD_SECONDS)
    found = _output([uv, "python", "find", wanted, "--no-python-downloads", "--no-project"], _PROBE_SECONDS)
    if found:
        yield Path(found)


def _output(command: list[str], seconds: float) -> str:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def downloads_allowed() -> bool:
    """Return whether uv may download a Python version."""
    return os.environ.get(ALLOW_DOWNLOADS, "").strip().lower() in ("1", "true", "yes")
