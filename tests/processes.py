"""Helpers of the tests that need processes: many of them, several at the same moment, or another user's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

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


# Runs each code that it is told in a child of its own, whose output goes to a named pipe.
_FORK = """
import json, os, sys, traceback
exec(sys.argv[1])
for line in iter(sys.stdin.readline, ""):
    code, output, *sys.argv[1:] = json.loads(line)
    child = os.fork()
    if not child:
        ended = 1
        try:
            os.dup2(os.open(output, os.O_WRONLY), 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            exec(code, {"__name__": "__main__"})
            ended = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(ended)
    print("started", child, flush=True)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """Starts processes in a few milliseconds, one after the other: they have imported what they need.

    :param imports: What they all import.
    :param folder: For the named pipe of their output.
    """

    def __init__(self, imports: str, folder: Path) -> None:
        self._output = folder / "output"
        os.mkfifo(self._output)
        self._server = start(_FORK, imports)
        self._last: Fork | None = None

    def start(self, code: str, *arguments: object) -> Fork:
        """A new process that runs ``code``, with ``arguments`` in ``sys.argv[1:]``; the last one ends."""
        self._end()
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps([code, str(self._output), *map(str, arguments)]) + "\n")
        self._server.stdin.flush()
        self._last = Fork(self._server, self._output)
        return self._last

    def _end(self) -> None:
        """A test that failed may have left one."""
        if self._last is not None and self._last.code is None:
            self._last.kill()

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._server.communicate()


class Fork:
    """One of these processes.

    :ivar code: Its exit code, once it was waited for; a negative one is a signal's number.
    """

    def __init__(self, server: subprocess.Popen[str], output: Path) -> None:
        self.code: int | None = None
        self._server = server
        self._pid = self._told("started")
        self._output = output.open()

    def lines(self) -> Iterator[str]:
        """What it prints, as it comes."""
        return iter(self._output.readline, "")

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Its exit code."""
        self._output.close()
        self.code = self._told("ended")
        return self.code

    def _told(self, what: str) -> int:
        assert self._server.stdout is not None
        word, number = self._server.stdout.readline().split()
        assert word == what
        return int(number)


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
