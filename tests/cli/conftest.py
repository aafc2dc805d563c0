"""Running the command line as a user does, in a process and a workspace of its own; and in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlsteps.cli.app import app
from mlsteps.workspace import WORKSPACE_VARIABLE

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


@pytest.fixture
def here(airflow_db: Path, tmp_path: Path) -> Callable[..., Finished]:
    """The same in this process, where Airflow is imported already: for what a command answers."""
    return partial(call_here, tmp_path)


def call_here(folder: Path, *arguments: object) -> Finished:
    """Call the command line in this process, for a workspace in ``folder``; needs ``airflow_db``."""
    words = [*map(str, arguments), "--workspace", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.setenv(WORKSPACE_VARIABLE, str(folder))  # the command sets it, too
        done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Finished(done.exit_code, done.stdout, done.stderr)
