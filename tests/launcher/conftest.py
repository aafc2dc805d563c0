"""Starts real launchers, in processes of their own, and finds what they leave running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlsteps.launcher.job import Job
from mlsteps.launcher.package import build_launcher_zip
from mlsteps.launcher.result import JobResult
from servers.azurite import azurite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlsteps.cli.azurite import Azurite

    from .cloud import Cloud

__all__ = ["azurite"]

DEADLINE = 20.0
"""Seconds after which something that must happen is taken not to happen; reached only by a failing test."""


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Wait until ``condition`` holds, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen: {what}"
        time.sleep(0.01)


@dataclass
class Launcher:
    """One job of a test: what to run and where; `start` and `run` run it."""

    zip: Path
    folder: Path
    job: Job
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def result(self) -> JobResult:
        return JobResult.from_json(Path(self.job.result_path).read_text())

    @property
    def job_file(self) -> Path:
        path = self.folder / "job.json"
        path.write_text(replace(self.job, environment={**self.job.environment, "MARK": self.mark}).to_json())
        return path

    def python(self, code: str) -> Launcher:
        """Make ``code`` the script."""
        self.job = replace(self.job, command=(sys.executable, "-u", "-c", code))
        return self

    def shell(self, code: str) -> Launcher:
        """Make ``code`` the script, run by the shell."""
        self.job = replace(self.job, command=("sh", "-c", code))
        return self

    def command(self, python: str = sys.executable) -> list[str]:
        return [python, "-I", "-S", str(self.zip), str(self.job_file)]

    def start(self, python: str = sys.executable) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(self.command(python), stdin=pipe, stdout=pipe, stderr=pipe)
        self.started.append(process)
        return process

    def run(self, python: str = sys.executable) -> subprocess.CompletedProcess[bytes]:
        with self.start(python) as process:
            out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start_and_await(self, *names: str) -> subprocess.Popen[bytes]:
        """Start, and return when the script has made the files ``names`` in its working directory."""
        process = self.start()
        for name in names:
            eventually((Path(self.job.working_directory) / name).exists, f"the script makes {name!r}")
        return process

    def alive(self) -> list[int]:
        """Return the pids of all that runs in the script's environment, even if its parents are gone."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if f"MARK={self.mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    pass
        return found

    def launcher_proper(self) -> int:
        """Return the pid of the guarded process, a child of the one that was started."""
        pid = self.started[-1].pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 1
        return int(children[0])


@pytest.fixture(scope="session")
def launcher_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_launcher_zip(tmp_path_factory.mktemp("zip"))


@pytest.fixture
def launcher(tmp_path: Path, launcher_zip: Path) -> Iterator[Launcher]:
    job = Job(
        command=("true",),
        working_directory=str(tmp_path / "deep" / "work"),
        log_directory=str(tmp_path / "logs"),
        result_path=str(tmp_path / "result.json"),
        environment={"PATH": os.environ["PATH"]},
        keep_to=str(tmp_path / "kept"),
    )
    made = Launcher(launcher_zip, tmp_path, job)
    yield made
    for process in made.started:
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


@pytest.fixture
def cloud(azurite: Azurite) -> Cloud:
    from .cloud import Cloud

    return Cloud(azurite)
