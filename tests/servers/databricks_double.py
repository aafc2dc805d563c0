"""A double of a Databricks workspace, on loopback: none can be had where we develop.

It answers the REST requests that Airflow's Databricks provider and its trigger make for one-time runs, and
those for code in the workspace, in Volumes and on DBFS, with the documented paths, states and error bodies;
it asks for its token, and refuses every field that the public API has not (see ``databricks_fields``). Code
really runs: see ``databricks_code``. Not there: Spark, jars, R, libraries, serverless machines, jobs that are
kept, more than one task in a run, permissions but the ``forbidden`` switch. Clusters start at once unless
``start_seconds`` says otherwise.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from servers.databricks_fields import problem_with
from servers.databricks_files import Files, Plain, Refusal
from servers.databricks_run import DoubledRun

TOKEN = "token-of-the-double"


class DatabricksDouble(ThreadingHTTPServer):
    """The server; its switches may be turned at any time."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.root = root
        self.files = Files(root)
        self.clusters: dict[str, Plain] = {}
        """Clusters that exist, by id, as ``clusters/get`` tells them."""
        self.secrets: dict[str, dict[str, str]] = {"amlscope": {}}
        """Secrets by scope and name."""
        self.start_seconds = 0.0
        """How long a cluster takes to start."""
        self.refuse_start: tuple[str, str] | None = None
        """Code and message with which the next runs end before they start."""
        self.next_answers: list[int] = []
        """Statuses that the next requests are answered with, instead of being done."""
        self.lost_answers: list[int] = []
        """The same for requests for runs that are done."""
        self.forbidden: set[str] = set()
        """Endpoints that the user may not use."""
        self.requests: list[tuple[str, str, Plain]] = []
        self.submitted: list[Plain] = []
        """Every request for a new run."""
        self.runs: dict[int, DoubledRun] = {}
        self._tokens: dict[str, int] = {}
        self._lock = threading.RLock()

    @property
    def connection(self) -> str:
        """An Airflow connection to it, as JSON."""
        facts = {"host": "127.0.0.1", "schema": "http", "port": self.server_address[1]}
        return json.dumps({"conn_type": "databricks", "password": TOKEN, **facts})

    def lose(self, run_id: int) -> None:
        """Forget a run."""
        self.runs.pop(run_id).end("CANCELED", "lost")

    def terminate_cluster(self, run_id: int) -> None:
        """Let the cluster below a run go away."""
        message = "Cluster 'job-cluster' was terminated. Reason: SPOT_INSTANCE_TERMINATION"
        self.runs[run_id].end("FAILED", message, code="CLUSTER_ERROR")

    def close(self) -> None:
        """End everything that runs."""
        for run in list(self.runs.values()):
            run.end("CANCELED", "The double ends.")
        self.shutdown()
        self.server_close()

    def answer(self, method: str, endpoint: str, body: Plain) -> Plain:
        """Do what a request asks for."""
        problem = problem_with(method, endpoint, body)
        if problem is not None:
            raise Refusal(400, "MALFORMED_REQUEST", problem)
        if endpoint in self.forbidden:
            raise Refusal(403, "PERMISSION_DENIED", "Double does not have permission to do that.")
        if endpoint.startswith(("2.0/workspace/", "2.0/dbfs/")):
            with self._lock:
                return self.files.answer(method, endpoint, body)
        if endpoint.startswith("2.0/secrets/"):
            return self._secret(endpoint, body)
        if endpoint == "2.1/clusters/get":
            return self._cluster(str(body["cluster_id"]))
        if endpoint.endswith("/submit"):
            return {"run_id": self._submit(body)}
        if endpoint.endswith("/cancel-all"):
            for run in list(self.runs.values()):
                run.end("CANCELED", "Run cancelled.")
            return {}
        return self._about_run(endpoint, int(body["run_id"]))

    def answer_of_volume(self, method: str, endpoint: str, data: bytes, body: Plain) -> bytes:
        """The same for files of Volumes, which are bytes and no JSON."""
        area = "/".join(endpoint.split("/")[:3])
        problem = problem_with(method, area, body)
        if problem is not None:
            raise Refusal(400, "MALFORMED_REQUEST", problem)
        if area in self.forbidden:
            raise Refusal(403, "PERMISSION_DENIED", "Double does not have permission to do that.")
        with self._lock:
            return self.files.volume(method, unquote(endpoint.removeprefix("2.0/fs")), data, body)

    def _cluster(self, cluster_id: str) -> Plain:
        if cluster_id not in self.clusters:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Cluster {cluster_id} does not exist")
        return {"cluster_id": cluster_id, "state": "RUNNING", **self.clusters[cluster_id]}

    def _secret(self, endpoint: str, body: Plain) -> Plain:
        scope = self.secrets.get(body["scope"])
        if scope is None or (endpoint.endswith("/delete") and body["key"] not in scope):
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No such scope or secret: {body['scope']}")
        if endpoint.endswith("/put"):
            scope[body["key"]] = body["string_value"]
        else:
            del scope[body["key"]]
        return {}

    def _submit(self, body: Plain) -> int:
        with self._lock:
            token = body.get("idempotency_token")
            if token in self._tokens:
                return self._tokens[str(token)]
            (task,) = body["tasks"]
            if task.get("existing_cluster_id"):
                self._cluster(task["existing_cluster_id"])
            self.submitted.append(body)
            run_id = 100 + len(self.submitted)
            if token:
                self._tokens[token] = run_id
            self.runs[run_id] = DoubledRun(
                run_id,
                body,
                self.files,
                self.root / f"run-{run_id}",
                f"http://127.0.0.1:{self.server_address[1]}/#job/1/run/{run_id}",
                self.start_seconds,
                self.refuse_start,
                self.secrets,
            )
            return run_id

    def _about_run(self, endpoint: str, run_id: int) -> Plain:
        output = endpoint.endswith("/get-output")
        run = self.runs.get(run_id - DoubledRun.TASK if output else run_id)
        if run is None:
            if output and run_id in self.runs:
                raise Refusal(400, "INVALID_PARAMETER_VALUE", "Only a task's run has an output.")
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Run {run_id} does not exist.")
        if endpoint.endswith("/cancel"):
            run.end("CANCELED", "Run cancelled.")
            return {}
        told = run.output() if output else run.told()
        if run.run_id not in self.runs:  # it was lost meanwhile
            return self._about_run(endpoint, run_id)
        return told


class _Requests(BaseHTTPRequestHandler):
    """One connection to the double."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answered()

    def do_POST(self) -> None:
        self._answered()

    def do_PUT(self) -> None:
        self._answered()

    def do_HEAD(self) -> None:
        self._answered()

    def _answered(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        endpoint = parts.path.removeprefix("/api/")
        in_volume = endpoint.startswith("2.0/fs/")
        # The provider's triggers send what they ask for as a body, as Databricks allows.
        body: Plain = dict(parse_qsl(parts.query))
        if not in_volume:
            body = {**json.loads(text or b"{}"), **body}
        self.server.requests.append((self.command, endpoint, body))
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "UNAUTHENTICATED", "Credential was not sent.")
            if self.server.next_answers:
                raise _fault(self.server.next_answers.pop(0))
            if in_volume:
                self._send_bytes(200, self.server.answer_of_volume(self.command, endpoint, text, body))
                return
            answer = self.server.answer(self.command, endpoint, body)
            if self.server.lost_answers and endpoint.endswith("/submit"):
                raise _fault(self.server.lost_answers.pop(0))
            self._send(200, answer)
        except Refusal as refusal:
            self._send(refusal.status, {"error_code": refusal.code, "message": refusal.message})

    def _send(self, status: int, answer: Mapping[str, Any]) -> None:
        self._send_bytes(status, json.dumps(answer).encode(), "application/json")

    def _send_bytes(self, status: int, data: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def _fault(status: int) -> Refusal:
    code = {429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE"}.get(status, "INTERNAL_ERROR")
    return Refusal(status, code, "It is a fault of the double.")


@contextmanager
def databricks_double(root: Path) -> Iterator[DatabricksDouble]:
    """A double that runs while the block does."""
    server = DatabricksDouble(root)
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
