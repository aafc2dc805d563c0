"""Airflow's API server with its own authentication, in this process, and callers with rights and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Dataset,
    DatasetConsumptionConfig,
    Pipeline,
    PipelineParameter,
)
from mlsteps.bundles import WorkspaceDagBundle
from mlsteps.compat import empty_dag_bag
from steps.project import Project


@pytest.fixture(scope="session")
def airflow_app(airflow_db: Path) -> Any:
    """The application that ``airflow api-server`` serves, with the plugins that are installed."""
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture
def client(airflow_app: Any) -> Iterator[Any]:
    """A client of it that sends what it is told only."""
    from starlette.testclient import TestClient

    with TestClient(airflow_app, base_url="http://localhost:8080") as client:
        yield client


@pytest.fixture
def token(airflow_app: Any) -> Callable[[str], dict[str, str]]:
    """The header of a user with a role of Airflow's: ``admin``, ``op``, ``user`` or ``viewer``."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def header(role: str) -> dict[str, str]:
        user = SimpleAuthManagerUser(username=f"a {role}", role=role)
        return {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}

    return header


@pytest.fixture
def shown(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: Callable[[Any], None]
) -> Callable[[], None]:
    """Do what the DAG processor does: let Airflow know what is published now."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")

    def show() -> None:
        bundle = WorkspaceDagBundle(name="ml", version=None, refresh_interval=30)
        bundle.initialize()
        bag = empty_dag_bag(str(bundle.path))
        assert bag.import_errors == {}
        for dag in bag.dags.values():
            register(dag)

    return show


@pytest.fixture
def pipeline(project: Project) -> Pipeline:
    """A pipeline with a parameter of each type."""
    workspace, rows = project.workspace, pd.DataFrame({"n": [1]})
    store = workspace.get_default_datastore()
    table = Dataset.Tabular.register_pandas_dataframe(rows, store, "table", show_progress=False)
    path, data = PipelineParameter("path", DataPath(store, "in")), PipelineParameter("data", table)
    values = [
        PipelineParameter("rows", 10),
        PipelineParameter("rate", 0.5),
        PipelineParameter("label", "plain"),
        PipelineParameter("full", False),
    ]
    inputs = [(path, DataPathComputeBinding()), DatasetConsumptionConfig("data", data)]
    step = project.step("only", "import sys; print(sys.argv)", arguments=values, inputs=inputs)
    return Pipeline(workspace, [step])
