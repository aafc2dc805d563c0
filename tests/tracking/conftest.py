"""The server that tests of forwarding share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.debian import ServerMissing, skip_or_fail
from servers.mlflow_server import MlflowServer, mlflow_server
from steps.project import Project


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real MLflow server."""
    folder = tmp_path_factory.mktemp("mlflow")
    try:
        with mlflow_server(folder) as server:
            yield server
    except ServerMissing as missing:
        skip_or_fail(missing)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # hundreds of megabytes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_db: Path) -> Project:
    """An empty project."""
    return Project(tmp_path, monkeypatch)
