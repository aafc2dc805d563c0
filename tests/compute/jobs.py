"""Jobs for compute targets, without Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlsteps.compute import (
    PYTHON,
    ComputeTarget,
    JobInput,
    JobOutcome,
    JobOutput,
    JobWatcher,
    LocalCompute,
    StepJob,
)
from mlsteps.data.stores import FolderStore
from mlsteps.environment import EnvironmentLocks
from mlsteps.reuse.snapshot_store import store_snapshot
from mlsteps.run.context import WorkspaceReference

COPY = """
import os, sys
source, target, folder = sys.argv[1:]
text = open(os.path.join(source, "a.txt")).read()
open(target, "w").write(text.upper())
os.makedirs("outputs", exist_ok=True)
open("outputs/kept.txt", "w").write("kept")
open(os.path.join(folder, "b.txt"), "w").write("b")
from mlsteps.run import Run
run = Run.get_context()
run.log("rows", 3)
"""


def ok(outcome: JobOutcome) -> JobOutcome:
    """An outcome that is a success."""
    assert outcome.error is None, (outcome.error, outcome.stderr_tail)
    return outcome


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """What is found, as soon as there is something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


class Bench:
    """Jobs over scripts in a folder, and what their watcher heard.

    :param target: What runs them; default: this machine.
    """

    def __init__(self, root: Path, target: ComputeTarget | None = None) -> None:
        self.root = root
        self.target = target or LocalCompute()
        self.store = FolderStore(root / "store")
        self.lines: list[tuple[str, str]] = []
        self.events: list[Any] = []
        self.kept: dict[str, bytes] = {}
        self.watcher = JobWatcher(
            lambda stream, line: self.lines.append((stream, line)), self.events.extend, self._keep
        )

    def job(self, script: str, *arguments: str, **changes: Any) -> StepJob:
        source = self.root / "src"
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.py").write_text(script)
        _, archive = store_snapshot(source, self.store, "snapshots", self.root / "snapshots")
        job = StepJob(
            id="job.1",
            command=(PYTHON, "main.py", *arguments),
            snapshot=archive,
            inputs=(),
            outputs=(),
            run_configuration=None,
            variables={},
            context={
                "run_id": "job.1",
                "name": "job",
                "experiment": "x",
                "workspace": WorkspaceReference("w"),
            },
            time_limit=None,
            scratch=self.root / "scratch",
            environments=self.root / "environments",
            input_cache=self.root / "input-cache",
            locks=EnvironmentLocks(self.store, self.root / "environments"),
        )
        return replace(job, **changes)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        return self.target.run(self.job(script, *arguments, **changes), self.watcher)

    def put(self, path: str, text: str) -> None:
        self.store.write(path, text.encode())

    def reads(self, name: str, path: str, mode: str = "mount", where: str | None = None) -> JobInput:
        return JobInput(name, f"$in_{name}", f"IN_{name}", self.store, path, mode, where)

    def writes(self, name: str, path: str, **settings: Any) -> JobOutput:
        settings = {"create_directory": False, **settings}
        return JobOutput(name, f"$out_{name}", f"OUT_{name}", self.store, path, **settings)

    def _keep(self, folder: Path) -> None:
        self.kept = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
