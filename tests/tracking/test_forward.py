"""What forwarding costs at the most, and who makes the run of a pipeline."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from mlsteps import Model, Workspace
from mlsteps.data.stores import FolderStore
from mlsteps.tracking.links import give_up_pipeline, keep_link, known_pipeline
from mlsteps.tracking.server import Credentials, MlflowServer
from mlsteps.tracking.unsent import FOLDER as UNSENT


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that says that it is well, and then answers nothing."""
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                over.wait(60)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *ignored: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


def test_a_server_that_does_not_answer_is_not_waited_for(
    silent: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "workspace.yaml").write_text(json.dumps({"mlflow": {"tracking_uri": silent, "timeout": 3}}))
    workspace, file = Workspace(folder=tmp_path), tmp_path / "weights"
    file.write_text("weights")
    start = time.monotonic()
    with caplog.at_level(logging.WARNING):
        model = Model.register(workspace, file, "m")
    assert time.monotonic() - start < 15
    assert model.id == "m:1"
    assert "MLflow did not get model 'm:1': Sending to MLflow was stopped after 3 seconds" in caplog.text
    assert len(workspace.record_store().list_names(UNSENT)) == 1


def test_a_connection_that_is_missing_costs_a_warning(
    tmp_path: Path, airflow_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "workspace.yaml").write_text("mlflow: {conn_id: nowhere}")
    workspace, file = Workspace(folder=tmp_path), tmp_path / "weights"
    file.write_text("weights")
    with caplog.at_level(logging.WARNING):
        assert Model.register(workspace, file, "m").id == "m:1"
    (told,) = [record.getMessage() for record in caplog.records if "MLflow" in record.getMessage()]
    assert told.startswith("MLflow did not get model 'm:1': Airflow has no connection 'nowhere'.")
    assert workspace.record_store().list_names(UNSENT) == []


def test_of_steps_that_come_first_at_once_one_makes_the_run_and_the_others_take_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    server = MlflowServer("http://a", "", Credentials(), 1, 1)
    made = []

    def come_first() -> str:
        known = known_pipeline(store, "run", server)
        if known is None:
            made.append("made")
            time.sleep(0.5)
            keep_link(store, "run", server, "abc", "7")
            return "abc"
        return str(known["run_id"])

    with ThreadPoolExecutor(3) as pool:
        assert [one.result() for one in [pool.submit(come_first) for _ in range(3)]] == ["abc"] * 3
    assert made == ["made"]


def test_nobody_waits_for_one_who_has_failed_to_make_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    server = MlflowServer("http://a", "", Credentials(), 1, 1)
    assert known_pipeline(store, "run", server) is None
    give_up_pipeline(store, "run")
    start = time.monotonic()
    assert known_pipeline(store, "run", server) is None
    assert time.monotonic() - start < 5
