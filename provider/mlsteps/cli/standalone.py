"""An ``airflow standalone`` of our own: started, spoken to by REST, stopped with all that it started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlsteps.exceptions import MlstepsException


class StandaloneAirflow:
    """Airflow with scheduler, triggerer, DAG processor and web page, on loopback and SQLite, for one user.

    :param home: Its AIRFLOW_HOME; kept between starts.
    :param dags_folder: Its DAG files.
    :param port: Of the web page; 0 takes a free one.
    :param environment: Further environment variables.
    """

    def __init__(
        self, home: Path, dags_folder: Path, port: int = 0, environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "standalone.log"
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {**self._settings(dags_folder), **(environment or {})}

    @property
    def connection(self) -> str:
        """It, as a connection that others submit by; for ``AIRFLOW_CONN_...``."""
        return f"http://:{self._token}@127.0.0.1:{self.port}"

    def _settings(self, dags_folder: Path) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Else in the machine's temporary folder, where another Airflow has its bundle of the same name.
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(self.home.absolute() / "dag_bundles"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # Otherwise 32 idle workers; with fewer than these tasks wait, as a worker is often busy for some
            # seconds after its task has ended. And everybody on this machine's loopback is the one user.
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "for-this-machine-only-" + "0" * 64,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            # Most of a short task's time is otherwise the scheduler's sleep between two looks.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.05",
            # standalone starts the other components by name.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        }

    def _complete_environment(self) -> dict[str, str]:
        # Settings of another Airflow, its database above all, have no business here.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        return {**kept, **self._environment}

    def __enter__(self) -> StandaloneAirflow:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = 180.0, waiting: Callable[[float], None] = lambda seconds: None) -> None:
        """Start it, and return when it answers and its scheduler is alive.

        :raises MlstepsException: it ended, or is not ready in time; the text names its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._complete_environment(),
                start_new_session=True,
            )
        started = time.monotonic()
        while not self._healthy():
            seconds = time.monotonic() - started
            if self._process.poll() is not None or seconds > timeout:
                self.stop()
                raise MlstepsException(f"Airflow did not start in {seconds:.0f} s; its log is {self.log}.")
            waiting(seconds)
            time.sleep(0.5)
        self._token = str(self._request("GET", "/auth/token")["access_token"])

    def stop(self) -> None:
        """Stop it and everything it started, whatever has become of it. Takes at most about 15 s."""
        if self._process is None:
            return
        session = self._process.pid
        for number, patience in ((signal.SIGINT, 8.0), (signal.SIGTERM, 4.0), (signal.SIGKILL, 2.0)):
            for pid in _session_members(session):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                self._process.poll()
                if not _session_members(session):
                    self._process = None
                    return
                time.sleep(0.1)
        self._process = None

    def wait_for_dag(self, dag_id: str, timeout: float = 120.0) -> None:
        """Return when the DAG has been parsed.

        :raises MlstepsException: it has not been in time; the text holds its file's import error, if any.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self._request("GET", f"/api/v2/dags/{dag_id}")
                return
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            time.sleep(0.5)
        errors = self._request("GET", "/api/v2/importErrors").get("import_errors", [])
        detail = errors[0]["stack_trace"] if errors else f"see {self.log}"
        raise MlstepsException(f"Airflow has not found DAG {dag_id!r} in {timeout:.0f} s: {detail}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run, and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def wait_for_run(
        self, dag_id: str, run_id: str, timeout: float = 300.0, waiting: Callable[[], None] = lambda: None
    ) -> str:
        """The state of a run when it is over.

        :raises MlstepsException: it is not over in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            state = str(self.dag_run(dag_id, run_id)["state"])
            if state in ("success", "failed"):
                return state
            waiting()
            time.sleep(0.3)
        raise MlstepsException(
            f"Run {run_id!r} of {dag_id!r} is not over after {timeout:.0f} s; see {self.log}."
        )

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run as Airflow's REST API gives it."""
        return self._request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances as Airflow's REST API gives them."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self._request("GET", f"{path}?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task, as the button of the web page does."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}"
        self._request("PATCH", path, {"new_state": state})

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Choose for a task that waits for a person."""
        path = f"/api/v2/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}/-1"
        self._request("PATCH", f"{path}/hitlDetails", {"chosen_options": [option], "params_input": {}})

    def clear(self, dag_id: str, run_id: str, task_ids: list[str]) -> None:
        """Clear tasks, so that they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "only_failed": False,
            "include_downstream": True,
        }
        self._request("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def get(self, path: str) -> dict[str, Any]:
        """Any other GET of the REST API."""
        return self._request("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Any other POST of the REST API."""
        return self._request("POST", path, body)

    def _healthy(self) -> bool:
        try:
            health = self._request("GET", "/api/v2/monitor/health")
        except (OSError, ValueError):
            return False
        return all(health.get(part, {}).get("status") == "healthy" for part in ("metadatabase", "scheduler"))

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        # Straight to loopback: a proxy of the machine's has no business with it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
        value = json.loads(text) if text else {}
        return value if isinstance(value, dict) else {"items": value}


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _session_members(session: int) -> list[int]:
    """Processes of a session. By session, because Airflow's workers change their titles and parents."""
    members = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if entry.isdigit():
            try:
                if os.getsid(int(entry)) == session and not _is_zombie(entry):
                    members.append(int(entry))
            except (ProcessLookupError, PermissionError):
                continue
    if members or os.path.isdir("/proc"):
        return members
    try:  # no /proc: the process group is the best that can be had
        os.killpg(session, 0)
        return [-session]
    except ProcessLookupError:
        return []


def _is_zombie(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
