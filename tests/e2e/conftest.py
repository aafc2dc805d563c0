"""What the Airflows of these tests have in common."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.arrivals import schedule_arrivals
from mlsteps import Schedule
from mlsteps.cli.standalone import StandaloneAirflow
from mlsteps.workspace import Workspace
from servers.chromium import browser, page

__all__ = ["browser", "page"]  # fixtures


@pytest.fixture(scope="session")
def settings() -> dict[str, str]:
    """Settings for an Airflow that has nothing to do most of the time."""
    # With the 0.05 seconds of a demo, its scheduler takes a fifth of a processor for looking around.
    return {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def workspace(home: Path) -> Workspace:
    """The embedded one, which needs no configuration."""
    return Workspace(folder=home / "mlsteps")


@pytest.fixture(scope="module")
def arrivals(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Schedule:
    return schedule_arrivals(workspace, tmp_path_factory.mktemp("arrivals"))


@pytest.fixture
def client(
    airflow: StandaloneAirflow, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    """The workspace as somebody has it who submits to this Airflow."""
    monkeypatch.setenv("AIRFLOW_CONN_THIS_AIRFLOW", airflow.connection)
    settings = {"folder": str(workspace.config.folder), "airflow": {"conn_id": "this_airflow"}}
    (tmp_path / "workspace.yaml").write_text(json.dumps(settings))
    return Workspace(folder=tmp_path)
