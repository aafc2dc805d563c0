"""Airflow as a deployment runs it, in parts, of which each can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from mlsteps.cli.standalone import StandaloneAirflow, _session_members

PARTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}

# By default Airflow takes minutes to see that one of its parts is gone.
SOON = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
}


class AirflowInParts(StandaloneAirflow):
    """The same Airflow, with a process of ours for each part; a part is killed with all that it started."""

    def start(self, timeout: float = 180.0, waiting: Callable[[float], None] = lambda seconds: None) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._environment = {**SOON, **self._environment}
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self._complete_environment(),
            check=True,
            capture_output=True,
            timeout=timeout,
        )
        for part in PARTS:
            self.start_part(part)
        deadline = time.monotonic() + timeout
        while not self._healthy():
            assert time.monotonic() < deadline, f"Airflow did not start; see {self.log}"
            time.sleep(0.5)
        self._token = str(self._request("GET", "/auth/token")["access_token"])

    def start_part(self, part: str) -> None:
        """Start a part, and do not wait until it is there."""
        with self.log.open("ab") as log:
            self._parts[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *PARTS[part]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._complete_environment(),
                start_new_session=True,
            )

    def kill_part(self, part: str) -> None:
        """End a part and all of its processes as the loss of its machine does."""
        process = self._parts.pop(part)
        while members := _session_members(process.pid):
            for pid in members:
                os.kill(pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.05)
        process.wait()

    def stop(self) -> None:
        for part in list(self._parts):
            self.kill_part(part)
