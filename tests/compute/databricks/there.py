"""A bench whose compute target is a double of Databricks; see ``servers.databricks_double``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from compute.jobs import Bench
from mlsteps import DatabricksCompute
from mlsteps.compute import JobOutcome, StepJob
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.environment import DatabricksCluster
from servers.databricks_double import DatabricksDouble

NOTEBOOK = "# Databricks notebook source\n"
CLUSTER = DatabricksCluster(num_workers=1)
LONG = "import time; time.sleep(30)"


class There:
    """A bench whose compute target is a Databricks workspace that a worker waits for."""

    def __init__(self, root: Path, double: Any) -> None:
        self.double: DatabricksDouble = double
        self.bench = Bench(root / "bench")
        self.folder = str(self.bench.store.local_path(""))
        self.settings: dict[str, Any] = {
            "databricks_conn_id": "DBX",
            "places": {self.folder: self.folder},
            "deferrable": False,
            "poll_seconds": 0.02,
        }

    def run(self, task: DatabricksTask, *arguments: str, settings: Any = None, **changes: Any) -> JobOutcome:
        target = DatabricksCompute("dbx", **{**self.settings, **(settings or {})}).for_task(task)
        return target.run(self.job(task, *arguments, **changes), self.bench.watcher)

    def job(self, task: DatabricksTask, *arguments: str, script: str = "", **changes: Any) -> StepJob:
        job = self.bench.job(script)
        return replace(job, **{"command": (*task.command, *arguments), **changes})

    def notebook(self, text: str, *names: str, **changes: Any) -> DatabricksTask:
        self.double.files.put("/Shared/nb", NOTEBOOK + text)
        given = {"step": "S", "kind": "notebook", "what": "/Shared/nb", "cluster": CLUSTER, "names": names}
        return DatabricksTask(**{**given, **changes})

    def printed(self, stream: str) -> list[str]:
        return [line for name, line in self.bench.lines if name == stream]

    def ended(self, run_id: int) -> Any:
        """How a run ended; None while it goes on."""
        return self.double.runs[run_id].told()["state"].get("result_state")


def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def once_it_runs(there: There, then: Callable[[], object]) -> None:
    """Do something as soon as the code of the first run runs."""

    def wait() -> None:
        eventually(lambda: 101 in there.double.runs)
        eventually(lambda: there.double.runs[101].told()["state"]["life_cycle_state"] == "RUNNING")
        then()

    threading.Thread(target=wait, daemon=True).start()
