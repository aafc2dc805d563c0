"""The examples on a workspace in blob storage: the same files, another configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.test_examples import BY_THEMSELVES
from mlsteps import Workspace
from mlsteps.cli.azurite import Azurite
from mlsteps.dag_files import load_dags
from mlsteps.local_airflow import run_dag
from servers.azurite import azurite

__all__ = ["azurite"]


@pytest.mark.slow
@pytest.mark.parametrize("file", BY_THEMSELVES, ids=lambda file: file.stem)
def test_an_example_runs_unchanged_on_blob_storage(
    file: Path, azurite: Azurite, airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"connection_string": azurite.connection_string}
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "extra": extra}))
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(tmp_path))
    (tmp_path / "workspace.yaml").write_text(
        "datastores:\n  workspaceblobstore: {type: azure_blob, container: "
        f"{file.stem.replace('_', '-')}, conn_id: blobs, create_if_not_exists: true}}\n"
    )
    (dag,) = load_dags(file)
    finished = run_dag(dag, {})
    assert not finished.failed
    stored = [info.path for info in Workspace().record_store().list()]
    assert any(path.startswith("mlsteps/runs/") for path in stored)
    assert not (tmp_path / "mlsteps" / "workspaceblobstore").exists()
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    secret = azurite.connection_string.encode()
    assert not any(secret in file.read_bytes() for file in kept)
    assert not any(secret in Workspace().record_store().read(path) for path in stored)
