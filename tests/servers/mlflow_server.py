"""A real MLflow server on loopback, behind a password, from packages in an environment of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from mlsteps.cli.standalone import free_port
from servers.debian import running
from servers.packages import uv
from servers.password_door import password_door

USER, PASSWORD = "someuser", "hunter2-hunter2"
# It makes the tables of its database first, and on a busy machine its imports alone take long.
_START_SECONDS = 180


class MlflowServer:
    """A running server; what it knows is asked for by its own REST API."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def ask(self, path: str, **query: Any) -> dict[str, Any]:
        """What it answers to a question."""
        return self._told(self._client.get(f"/api/2.0/mlflow/{path}", params=query))

    def runs(self, experiment: str, filter: str = "") -> list[dict[str, Any]]:
        """The runs of an experiment, the oldest first."""
        found = self.ask("experiments/get-by-name", experiment_name=experiment)
        body = {
            "experiment_ids": [found["experiment"]["experiment_id"]],
            "filter": filter,
            "order_by": ["attributes.start_time ASC"],
        }
        runs: list[dict[str, Any]] = self._told(
            self._client.post("/api/2.0/mlflow/runs/search", json=body)
        ).get("runs", [])
        return runs

    def history(self, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
        """Steps and values of a metric."""
        run_id = run["info"]["run_id"]
        found = self.ask("metrics/get-history", run_id=run_id, metric_key=metric)["metrics"]
        return sorted((int(point.get("step", 0)), point["value"]) for point in found)

    def artifact(self, run: dict[str, Any], path: str) -> bytes:
        """A file of a run."""
        return self.read(f"{run['info']['artifact_uri']}/{path}")

    def read(self, uri: str) -> bytes:
        """A file that the server keeps."""
        scheme, _, place = uri.partition(":/")
        assert scheme == "mlflow-artifacts", uri
        answer = self._client.get(f"/api/2.0/mlflow-artifacts/artifacts/{place}")
        assert answer.is_success, answer.text
        return answer.content

    @staticmethod
    def _told(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    """The tags of a run, or of a version of a model."""
    return {tag["key"]: tag["value"] for tag in thing.get("data", thing).get("tags", [])}


def params_of(run: dict[str, Any]) -> dict[str, str]:
    """The parameters of a run."""
    return {param["key"]: param["value"] for param in run["data"].get("params", [])}


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """Install and start one of the client's version, and stop it at the end.

    :param folder: For its packages and what it keeps.
    :raises ServerMissing: it cannot be installed, or does not start.
    """
    programs = folder / "venv"
    uv("MLflow", "venv", "--quiet", "--python", sys.executable, programs)
    wanted = f"mlflow=={version('mlflow-skinny')}"
    uv("MLflow", "pip", "install", "--quiet", "--python", programs / "bin" / "python", wanted)
    port = free_port()
    command = [str(programs / "bin" / "mlflow"), "server", "--workers", "1", "--serve-artifacts"]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--backend-store-uri",
        f"sqlite:///{folder}/runs.db",
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTHON"))},
        "PATH": f"{programs / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command += ["--artifacts-destination", str(folder / "files")]
    ready = _answering(f"http://127.0.0.1:{port}/health")
    with (
        running(command, folder / "log", ready, _START_SECONDS, environment),
        password_door(port, USER, PASSWORD) as url,
        httpx.Client(base_url=url, auth=(USER, PASSWORD), timeout=60) as client,
    ):
        yield MlflowServer(url, client)


def _answering(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return httpx.get(url, timeout=5).is_success
        except httpx.HTTPError:
            return False

    return answers
