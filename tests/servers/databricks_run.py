"""One run on the tests' double of Databricks: its states, and the code below it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from servers.databricks_code import Ended, RunningCode
from servers.databricks_files import Files, Plain, Refusal, is_notebook

_SECRET = re.compile(r"\{\{secrets/([^/}]+)/([^}]+)\}\}")


class DoubledRun:
    """A run of one task.

    :param body: What was asked for.
    :param folder: For its code.
    :param start_seconds: How long its cluster starts.
    :param refused: Code and message with which it never starts.
    """

    TASK: ClassVar[int] = 10_000
    """What is added to a run's id for its task's."""

    def __init__(
        self,
        run_id: int,
        body: Plain,
        files: Files,
        folder: Path,
        page: str,
        start_seconds: float,
        refused: tuple[str, str] | None,
        secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.run_id = run_id
        self.spark_conf: dict[str, str] = {}
        """The settings of its cluster, once that has started."""
        self._secrets = secrets
        self._body = body
        (self._task,) = body["tasks"]
        self._files, self._folder, self._page = files, folder, page
        self._life, self._result, self._message, self._code = "PENDING", "", "Waiting for cluster", ""
        self._ended: Ended | None = None
        self._running: RunningCode | None = None
        self._lock = threading.Lock()
        self._started = int(time.time() * 1000)
        self._stop = threading.Event()
        threading.Thread(target=self._run, args=(start_seconds, refused), daemon=True).start()

    def end(self, result: str, message: str, code: str = "") -> None:
        """End it from outside; one that has ended stays as it is."""
        with self._lock:
            if self._life == "TERMINATED" or self._life == "INTERNAL_ERROR":
                return
            self._set("TERMINATED", result, message, code)
            if self._running is not None:
                self._running.end()
        self._stop.set()

    def told(self) -> Plain:
        """What ``runs/get`` tells."""
        with self._lock:
            state: Plain = {"life_cycle_state": self._life, "state_message": self._message}
            if self._result:
                state["result_state"] = self._result
            task = {
                **{key: value for key, value in self._task.items() if key != "libraries"},
                "run_id": self.run_id + self.TASK,
                "state": dict(state),
                "start_time": self._started,
                "attempt_number": 0,
            }
            found: Plain = {
                "job_id": 1,
                "run_id": self.run_id,
                "run_name": self._body.get("run_name", "Untitled"),
                "run_page_url": self._page,
                "run_type": "SUBMIT_RUN",
                "start_time": self._started,
                "state": state,
                "tasks": [task],
            }
            if self._code:
                details = {"code": self._code, "message": self._message, "type": "CLIENT_ERROR"}
                found["status"] = {"state": "TERMINATED", "termination_details": details}
            return found

    def output(self) -> Plain:
        """What ``runs/get-output`` tells."""
        answer: Plain = {"metadata": self.told()["tasks"][0]}
        ended = self._ended
        if ended is None:
            return answer
        if "notebook_task" in self._task:
            answer["notebook_output"] = {} if ended.result is None else {"result": ended.result}
        else:
            answer["logs"] = ended.printed
        if ended.error is not None:
            answer |= {"error": ended.error, "error_trace": ended.error_trace}
        return answer

    def _set(self, life: str, result: str = "", message: str = "", code: str = "") -> None:
        self._life, self._result, self._message, self._code = life, result, message, code

    def _run(self, start_seconds: float, refused: tuple[str, str] | None) -> None:
        self._stop.wait(start_seconds)
        with self._lock:
            if self._life != "PENDING":
                return
            if refused is not None:
                self._set("INTERNAL_ERROR", "FAILED", refused[1], refused[0])
                return
            try:
                self._running = self._code_of_task()
            except Refusal as refusal:
                self._set("INTERNAL_ERROR", "FAILED", refusal.message, refusal.code)
                return
            self._set("RUNNING", message="In run")
            running = self._running
        limit = self._body.get("timeout_seconds")
        timer = threading.Timer(float(limit), self.end, ("TIMEDOUT", "Run timed out.")) if limit else None
        if timer:
            timer.daemon = True
            timer.start()
        ended = running.wait()
        if timer:
            timer.cancel()
        with self._lock:
            if self._life != "RUNNING":
                return
            self._ended = ended
            message = "" if ended.error is None else "Workload failed, see run output for details"
            self._set("TERMINATED", "SUCCESS" if ended.error is None else "FAILED", message)

    def _look_up(self, found: re.Match[str]) -> str:
        scope, name = found.groups()
        if name not in self._secrets.get(scope, {}):
            raise Refusal(
                400, "INVALID_ARGUMENT", f"Secret does not exist with scope: {scope} and key: {name}"
            )
        return self._secrets[scope][name]

    def _code_of_task(self) -> RunningCode:
        conf = (self._task.get("new_cluster") or {}).get("spark_conf") or {}
        self.spark_conf = {key: _SECRET.sub(self._look_up, value) for key, value in conf.items()}
        notebook, script = self._task.get("notebook_task"), self._task.get("spark_python_task")
        if notebook is not None:
            file = self._files.file(notebook["notebook_path"])
            if not file.is_file() or not is_notebook(file):
                path = notebook["notebook_path"]
                raise Refusal(400, "RESOURCE_NOT_FOUND", f'Unable to access the notebook "{path}".')
            return RunningCode(
                file, dict(notebook.get("base_parameters") or {}), self._folder, self._files, self.spark_conf
            )
        if script is None:
            raise Refusal(400, "FEATURE_DISABLED", "The double runs notebooks and Python scripts only.")
        file = self._files.file(script["python_file"])
        if not file.is_file():
            message = f"Cannot read the python file {script['python_file']}."
            raise Refusal(400, "RESOURCE_NOT_FOUND", message)
        return RunningCode(
            file, list(script.get("parameters") or []), self._folder, self._files, self.spark_conf
        )
