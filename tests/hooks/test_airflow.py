"""What is said where a running Airflow cannot be asked."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mlsteps import Workspace
from mlsteps.exceptions import WorkspaceException


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace.yaml").write_text("airflow: {conn_id: my_airflow}")
    return Workspace(folder=tmp_path)


def test_a_connection_that_is_not_there(workspace: Workspace, airflow_db: Path) -> None:
    with pytest.raises(WorkspaceException, match="no connection 'my_airflow'.*AIRFLOW_CONN_MY_AIRFLOW"):
        workspace.running_airflow()


def test_nobody_answers(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_AIRFLOW", "http://me:secret-word@127.0.0.1:1")
    airflow = workspace.running_airflow()
    monkeypatch.setattr("mlsteps.hooks.airflow._PATIENCE", 0.5)
    assert airflow is not None and "secret-word" not in repr(airflow)
    with pytest.raises(
        WorkspaceException, match=r"RunningAirflow\('http://127.0.0.1:1'\) does not answer"
    ) as error:
        airflow.dag("published.x")
    assert "secret-word" not in str(error.value)


def test_what_was_done_by_a_call_whose_answer_was_lost_is_not_done_twice(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that starts a run, breaks the connection, is gone behind its gateway, and then says 409."""
    started: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            started.append(told["dag_run_id"])
            if len(started) > 1:
                self.send_response(503 if len(started) == 2 else 409)
                self.end_headers()

        def log_message(self, *ignored: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AIRFLOW_CONN_MY_AIRFLOW", f"http://:s3cret@127.0.0.1:{server.server_port}")
        airflow = workspace.running_airflow()
        assert airflow is not None
        airflow.trigger("published.x", "r", {})
        server.shutdown()
    assert started == ["r", "r", "r"]
    assert "does not answer" in caplog.text and "s3cret" not in caplog.text


@pytest.mark.parametrize("text", ["airflow: here", "airflow: {url: x}", "airflow: {conn_id: 3}"])
def test_a_setting_that_names_no_connection(tmp_path: Path, text: str) -> None:
    (tmp_path / "workspace.yaml").write_text(text)
    with pytest.raises(WorkspaceException, match="airflow"):
        _ = Workspace(folder=tmp_path).config
