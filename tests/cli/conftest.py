"""Running the command line as a user does: a process of its own, a workspace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parent / "dags"


@dataclass(frozen=True)
class Finished:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def last_json(self) -> Any:
        """The last line of stdout, which has to be JSON."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that the commands of one file share: making a database takes seconds."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def mlsteps(workspace: Path) -> Callable[..., Finished]:
    """A function that calls the command line: ``mlsteps("run", FILE, "--json")``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    environment |= {"COLUMNS": "200", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def call(
        *arguments: object, folder: Path = workspace, timeout: float = 180, **variables: str
    ) -> Finished:
        words = [str(argument) for argument in arguments]
        if words[0] in ("environment", "run", "runs", "show"):
            words += ["--workspace", str(folder)]
        done = subprocess.run(
            [sys.executable, "-m", "mlsteps.cli", *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return call
