"""RunningAirflow: an Airflow that pipelines are submitted to, by its public REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from mlsteps.compat import AirflowNotFoundException
from mlsteps.exceptions import WorkspaceException

if TYPE_CHECKING:
    import httpx

_RETRIES = 3
_SECONDS = 30


class RunningAirflow:
    """An Airflow, asked in the name of a connection of type ``http``.

    :param conn_id: Its host and port are Airflow's address; login and password are a user's, or the password
        alone is a token.
    :raises WorkspaceException: there is no such connection, or it lacks something.
    """

    def __init__(self, conn_id: str) -> None:
        try:
            connection = BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            raise WorkspaceException(
                f"There is no connection {conn_id!r}, which the workspace's 'airflow' names. Add one of type "
                f"http, with the address of Airflow, or set AIRFLOW_CONN_{conn_id.upper()}."
            ) from None
        if not connection.host:
            raise WorkspaceException(f"Connection {conn_id!r} has no host: it needs the address of Airflow.")
        host = connection.host if "://" in connection.host else f"{_scheme(connection)}://{connection.host}"
        self._url = f"{host}:{connection.port}" if connection.port else host
        self._conn_id, self._login, self._password = conn_id, connection.login, connection.password
        self._client: httpx.Client | None = None
        self._token: str | None = None

    def __repr__(self) -> str:
        return f"RunningAirflow({self._url!r})"

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """What it knows of a DAG; None if it shows none of this id."""
        return self._ask("GET", f"dags/{quote(dag_id, safe='')}/details", missing=True)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any], note: str | None) -> None:
        """Start a run. One that was started by an answer that did not arrive is not started twice."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf), "note": note}
        self._ask("POST", f"dags/{quote(dag_id, safe='')}/dagRuns", body, repeated=409)

    def state(self, dag_id: str, run_id: str) -> str | None:
        """``queued``, ``running``, ``success`` or ``failed``; None if it has no such run."""
        run = self._ask("GET", _run(dag_id, run_id), missing=True)
        return None if run is None else str(run.get("state"))

    def end(self, dag_id: str, run_id: str) -> None:
        """Mark a run failed, which ends tasks that are running."""
        self._ask("PATCH", _run(dag_id, run_id), {"state": "failed"}, missing=True)

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> list[str]:
        """The lines of a task's log so far; none where it cannot be had at the moment."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/logs/{try_number}"
        try:
            found = self._ask("GET", f"{path}?map_index={map_index}&full_content=true", missing=True)
        except WorkspaceException:
            return []
        content = (found or {}).get("content") or []
        return [str(line["event"]) for line in content if isinstance(line, dict) and "event" in line]

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        missing: bool = False,
        repeated: int | None = None,
    ) -> dict[str, Any] | None:
        """One request.

        :param missing: Whether None stands for what is not there.
        :param repeated: A status that says that it was done already.
        :raises WorkspaceException: it was refused, or not answered.
        """
        import httpx

        try:
            for renewed in (False, True):
                client = self._opened(renewed)
                headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
                answer = client.request(method, f"/api/v2/{path}", headers=headers, json=body)
                if answer.status_code != 401:
                    break
        except httpx.HTTPError as error:
            raise WorkspaceException(f"{self!r} does not answer: {type(error).__name__}: {error}") from None
        if (missing and answer.status_code == 404) or answer.status_code == repeated:
            return None
        if not answer.is_success:
            raise WorkspaceException(f"{self!r} refused ({answer.status_code}): {_detail(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    def _opened(self, renew: bool) -> httpx.Client:
        import httpx

        if self._client is None:
            transport = httpx.HTTPTransport(retries=_RETRIES)
            self._client = httpx.Client(base_url=self._url, transport=transport, timeout=_SECONDS)
        if self._token is None or renew:
            self._token = self._password if not self._login else self._logged_in(self._client)
        return self._client

    def _logged_in(self, client: httpx.Client) -> str:
        answer = client.post("/auth/token", json={"username": self._login, "password": self._password})
        if not answer.is_success:
            raise WorkspaceException(
                f"{self!r} does not let user {self._login!r} of connection {self._conn_id!r} in "
                f"({answer.status_code}): {_detail(answer)}"
            )
        return str(answer.json()["access_token"])


def _scheme(connection: Any) -> str:
    # As Airflow's own HTTP hook reads it.
    return str(connection.schema or "http")


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _detail(answer: Any) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
