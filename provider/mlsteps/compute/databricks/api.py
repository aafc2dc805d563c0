"""The few requests to a Databricks workspace that a run needs, by the provider's hook."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mlsteps.compute.databricks.volumes import PREFIX, Volumes
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.databricks.databricks_compute import DatabricksCompute

T = TypeVar("T")

# A workspace that is busy or gone for two minutes is waited for: its runs go on meanwhile.
RETRIES = 9
RETRY_SECONDS = 0.5
_LONGEST_PAUSE = 30.0
# What DBFS takes and gives at once is a megabyte.
_PIECE = 700_000
_ANSWER = re.compile(r"^Response: (.*), Status Code: (\d+)$", re.DOTALL)
_ADVICE = {
    401: "Look after the connection's token or service principal.",
    403: "Its user or service principal needs the right to do that; see the documentation's list of rights.",
    429: "The workspace is asked too often, or has as many runs as it may have.",
}


class DatabricksRefusal(ComputeTargetException):
    """Databricks said no; ``code`` is its ``error_code``, empty where it gave none."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Databricks:
    """A workspace as a compute target's connection opens it.

    :raises ComputeTargetException: the provider is not installed.
    """

    def __init__(self, target: DatabricksCompute) -> None:
        self._where = f"Compute target {target.name!r}, connection {target.databricks_conn_id!r}"
        try:
            from airflow.providers.databricks.hooks.databricks import DatabricksHook
            from tenacity import stop_after_attempt, wait_exponential
        except ImportError:
            raise ComputeTargetException(
                f"Compute target {target.name!r} needs Airflow's Databricks provider: "
                f"pip install 'airflow-provider-mlsteps[databricks]'"
            ) from None
        again = {
            "stop": stop_after_attempt(RETRIES),
            "wait": wait_exponential(RETRY_SECONDS, max=_LONGEST_PAUSE),
        }
        self._hook: Any = DatabricksHook(
            target.databricks_conn_id, retry_limit=RETRIES, retry_args=again, caller="mlsteps"
        )
        self._volumes = Volumes(self._hook)

    # Runs

    def submit(self, request: Mapping[str, Any]) -> int:
        """Start a run, or find the one that this request's token has started."""
        return int(self._told("start the run", lambda: self._hook.submit_run(dict(request))))

    def run(self, run_id: int) -> dict[str, Any]:
        """A run as it stands."""
        found: dict[str, Any] = self._told(f"look at run {run_id}", lambda: self._hook.get_run(run_id))
        return found

    def output(self, run_id: int) -> dict[str, Any]:
        """What a task's run has said: result, log, error.

        :param run_id: The task's.
        """
        found: dict[str, Any] = self._told(
            f"read the output of run {run_id}", lambda: self._hook.get_run_output(run_id)
        )
        return found

    def cancel(self, run_id: int) -> None:
        """End a run; that it has ended is no error."""
        self._told(f"cancel run {run_id}", lambda: self._hook.cancel_run(run_id))

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        """A cluster as it stands."""
        return self._call(
            f"look at cluster {cluster_id!r}", "GET", "2.1/clusters/get", {"cluster_id": cluster_id}
        )

    # Secrets

    def put_secret(self, scope: str, name: str, value: str) -> None:
        """Put a secret into a scope, or replace it. The value appears in no log."""
        from airflow.sdk.log import mask_secret

        mask_secret(value)
        body = {"scope": scope, "key": name, "string_value": value}
        self._call(f"put a secret into scope {scope!r}", "POST", "2.0/secrets/put", body)

    def delete_secret(self, scope: str, name: str) -> None:
        """Take a secret out of a scope."""
        self._call(f"delete secret {name!r}", "POST", "2.0/secrets/delete", {"scope": scope, "key": name})

    # Code

    def exists(self, path: str) -> bool:
        """Whether there is something at a path of the workspace, of DBFS or of a Volume (a file)."""
        if path.startswith(PREFIX):
            return self._told(f"look for {path!r}", lambda: self._volumes.exists(path))
        area, there = _area(path)
        try:
            self._call(f"look for {path!r}", "GET", f"2.0/{area}/get-status", {"path": there})
        except DatabricksRefusal as refusal:
            if refusal.code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        if path.startswith(PREFIX):
            self._told(f"make the folder {path!r}", lambda: self._volumes.make_folder(path))
            return
        area, there = _area(path)
        self._call(f"make the folder {path!r}", "POST", f"2.0/{area}/mkdirs", {"path": there})

    def write(self, path: str, data: bytes) -> None:
        """Write a file, or replace it."""
        area, there = _area(path)
        doing = f"write {path!r}"
        if path.startswith(PREFIX):
            self._told(doing, lambda: self._volumes.write(path, data))
            return
        if area == "workspace":
            text = base64.b64encode(data).decode()
            body = {"path": there, "format": "RAW", "overwrite": True, "content": text}
            self._call(doing, "POST", "2.0/workspace/import", body)
            return
        made = self._call(doing, "POST", "2.0/dbfs/create", {"path": there, "overwrite": True})
        for start in range(0, len(data), _PIECE):
            piece = base64.b64encode(data[start : start + _PIECE]).decode()
            self._call(doing, "POST", "2.0/dbfs/add-block", {"handle": made["handle"], "data": piece})
        self._call(doing, "POST", "2.0/dbfs/close", {"handle": made["handle"]})

    def read(self, path: str, *, notebook: bool = False) -> Iterator[bytes]:
        """A file's bytes, or a notebook's source."""
        area, there = _area(path)
        doing = f"read {'notebook' if notebook else 'script'} {path!r}"
        if path.startswith(PREFIX):
            yield self._told(doing, lambda: self._volumes.read(path))
            return
        if area == "workspace":
            asked = {"path": there, "format": "SOURCE" if notebook else "AUTO"}
            yield base64.b64decode(self._call(doing, "GET", "2.0/workspace/export", asked)["content"])
            return
        start = 0
        while True:
            piece = self._call(
                doing, "GET", "2.0/dbfs/read", {"path": there, "offset": start, "length": _PIECE}
            )
            if not piece.get("bytes_read"):
                return
            start += int(piece["bytes_read"])
            yield base64.b64decode(piece["data"])

    def _call(self, doing: str, method: str, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # The hook has no methods for these; every request of its own, and of operators built on it, is this.
        found: dict[str, Any] = self._told(
            doing, lambda: self._hook._do_api_call((method, endpoint), dict(body))
        )
        return found

    def _told(self, doing: str, ask: Callable[[], T]) -> T:
        """Ask, and tell what went wrong in words.

        :raises ComputeTargetException: it could not be asked.
        :raises DatabricksRefusal: the answer was an error.
        """
        from airflow.sdk.exceptions import AirflowException
        from requests import HTTPError

        try:
            return ask()
        except AirflowException as error:
            raise self._refused(doing, str(error)) from None
        except HTTPError as error:
            answer: Any = error.response  # raised for one
            raise self._refusal(doing, answer.status_code, answer.text) from None
        except Exception as error:  # a connection has many ways of being wrong
            raise ComputeTargetException(
                f"{self._where}: could not {doing}: {type(error).__name__}: {error}"
            ) from None

    def _refused(self, doing: str, text: str) -> ComputeTargetException:
        found = _ANSWER.match(text)
        if found is None:
            return ComputeTargetException(f"{self._where}: could not {doing}: {text}")
        return self._refusal(doing, int(found.group(2)), found.group(1))

    def _refusal(self, doing: str, status: int, text: str) -> DatabricksRefusal:
        answer = _plain(text)
        code, message = str(answer.get("error_code", "")), str(answer.get("message", text))
        said = f"{message.rstrip('. ')} ({code or f'status {status}'})."
        return DatabricksRefusal(
            f"{self._where}: could not {doing}: {said} {_ADVICE.get(status, '')}".rstrip(), code
        )


def _area(path: str) -> tuple[str, str]:
    """Which API a path belongs to, and the path as that has it."""
    if path.startswith("dbfs:"):
        return "dbfs", path.removeprefix("dbfs:")
    return "workspace", path.removeprefix("/Workspace") if path.startswith("/Workspace/") else path


def _plain(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
