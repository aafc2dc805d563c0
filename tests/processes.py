"""Helpers of the tests that need several processes at the same moment, or another user."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROVIDER = Path(__file__).parent.parent / "provider"

_WAIT = """
import pathlib, sys, time
number, go = int(sys.argv[1]), pathlib.Path(sys.argv[2])
pathlib.Path(f"{go}-ready-{number}").touch()
while not go.exists():
    time.sleep(0.001)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A new interpreter that runs ``code``, with mlsteps at hand and ``arguments`` in ``sys.argv[1:]``."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROVIDER)},
    )


def at_once(imports: str, code: str, folder: Path, count: int = 8) -> list[str]:
    """What ``count`` processes print that do ``code`` at the same moment, each with a ``number`` of its own.

    :param imports: Done by each before they all begin.
    """
    go = folder / "go"
    processes = [start(f"{imports}\n{_WAIT}\n{code}", number, go) for number in range(count)]
    deadline = time.monotonic() + 30
    while not all(Path(f"{go}-ready-{number}").exists() for number in range(count)):
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    go.touch()
    printed = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return printed


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as a user whom permissions stop, also where the tests are run by root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def folder_for_everybody() -> Iterator[Path]:
    """A temporary folder that :func:`unprivileged` may enter and write to."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)
