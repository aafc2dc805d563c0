"""Which MLflow server a workspace is forwarded to."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Workspace
from mlsteps.exceptions import WorkspaceException
from mlsteps.tracking import server as servers
from mlsteps.tracking.server import Credentials, server_of


def workspace(folder: Path, **settings: Any) -> Workspace:
    (folder / "workspace.yaml").write_text(json.dumps({"mlflow": settings}))
    return Workspace(folder=folder)


def test_a_connection_says_where_and_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_MLFLOW", "https://me:secret-word@mlflow.example.com:8443")
    found = server_of(workspace(tmp_path, conn_id="my_mlflow", max_file_mb=2, timeout=7))
    assert found is not None and "secret-word" not in repr(found)
    assert (found.uri, found.credentials) == (
        "https://mlflow.example.com:8443",
        Credentials("me", "secret-word"),
    )
    assert (found.most_bytes, found.seconds) == (2e6, 7)


def test_an_address_of_the_workspace_counts_and_a_password_alone_is_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_MLFLOW", json.dumps({"conn_type": "http", "password": "t0ken-word"}))
    found = server_of(workspace(tmp_path, conn_id="my_mlflow", tracking_uri="http://there:1/base/"))
    assert found is not None
    assert (found.uri, found.credentials) == ("http://there:1/base", Credentials(token="t0ken-word"))
    assert found.credentials.hidden_in("a t0ken-word b") == "a *** b"
    with pytest.raises(
        WorkspaceException, match="'my_mlflow'.*has no host, and 'mlflow' has no tracking_uri"
    ):
        server_of(workspace(tmp_path, conn_id="my_mlflow"))


def test_a_connection_that_is_not_there(tmp_path: Path, airflow_db: Path) -> None:
    with pytest.raises(WorkspaceException, match="no connection 'gone'"):
        server_of(workspace(tmp_path, conn_id="gone"))


def test_mlflow_s_own_variable_counts_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert server_of(workspace(tmp_path)) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    (found, configured) = (
        server_of(workspace(tmp_path)),
        server_of(workspace(tmp_path, tracking_uri="http://a")),
    )
    assert found is not None and configured is not None
    assert (found.uri, configured.uri) == ("http://env:5000", "http://a")
    assert server_of(workspace(tmp_path, enabled=False)) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs.db")
    assert server_of(workspace(tmp_path)) is None


def test_without_the_client_nothing_is_forwarded_and_whoever_configured_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servers, "_LIBRARY", "mlflow_that_nobody_has")
    with caplog.at_level(logging.WARNING):
        assert server_of(workspace(tmp_path, tracking_uri="http://a")) is None
    assert "airflow-provider-mlsteps[mlflow]" in caplog.text


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tracking_uri": "http://me:secret-word@a"}, "tracking_uri holds credentials.*'conn_id'"),
        ({"tracking_uri": "file:///runs"}, "must be the address of an MLflow server.*'file:///runs'"),
        ({"tracking_url": "http://a"}, "unknown setting 'tracking_url'; known are tracking_uri"),
        ({"password": "secret-word"}, "unknown setting 'password'.*connection that 'conn_id' names"),
        ({"enabled": "no"}, "'enabled' must be true or false, got 'no'"),
        ({"timeout": 0}, "'timeout' must be a number above 0, got 0"),
        ({"max_file_mb": True}, "'max_file_mb' must be a number above 0"),
        ({"conn_id": 3}, "'conn_id' must be a text, got 3"),
    ],
)
def test_what_the_workspace_says_wrong(tmp_path: Path, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(WorkspaceException, match=f"workspace.yaml: 'mlflow': .*{problem}") as error:
        _ = workspace(tmp_path, **settings).config
    assert "secret-word" not in str(error.value)
