"""RunningAirflow: an Airflow that pipelines are submitted to, by its public REST API."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from mlsteps.compat import AirflowNotFoundException
from mlsteps.exceptions import WorkspaceException
from mlsteps.hooks.addresses import address_of
from mlsteps.hooks.airflow_calls import dag_path, refusal_of, run_body, run_path, runs_path

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

_log = logging.getLogger(__name__)

_PATIENCE = 60.0
"""Seconds that it may be away, as an API server is that starts anew."""

_PAUSE = 0.2  # seconds, and longer each time
_LONGEST_PAUSE = 5.0
_SECONDS = 30
# Airflow whose database is away or locked, and a gateway with nobody behind it.
_AWAY = (500, 502, 503, 504)


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
        url = address_of(connection)
        if url is None:
            raise WorkspaceException(f"Connection {conn_id!r} has no host: it needs the address of Airflow.")
        self._url = url
        self._conn_id, self._login, self._password = conn_id, connection.login, connection.password
        self._client: httpx.Client | None = None
        self._token: str | None = None

    def __repr__(self) -> str:
        return f"RunningAirflow({self._url!r})"

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """What it knows of a DAG; None if it shows none of this id."""
        return self._ask("GET", dag_path(dag_id), missing=True)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run. One that was started by an answer that did not arrive is not started twice."""
        self._ask("POST", runs_path(dag_id), run_body(run_id, conf), repeated=409)

    def state(self, dag_id: str, run_id: str) -> str | None:
        """``queued``, ``running``, ``success`` or ``failed``; None if it has no such run."""
        run = self._ask("GET", run_path(dag_id, run_id), missing=True)
        return None if run is None else str(run.get("state"))

    def end(self, dag_id: str, run_id: str) -> None:
        """Mark a run failed, which ends tasks that are running."""
        self._ask("PATCH", run_path(dag_id, run_id), {"state": "failed"}, missing=True)

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> list[str]:
        """The lines of a task's log so far; none where it cannot be had at the moment."""
        path = f"{run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/logs/{try_number}"
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
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

        # All of these may be asked again: a run has its id from here.
        patiently = Retrying(
            retry=retry_if_exception_type((httpx.TransportError, httpx.HTTPStatusError)),
            wait=wait_exponential(_PAUSE, max=_LONGEST_PAUSE),
            stop=stop_after_delay(_PATIENCE),
            before_sleep=self._tell_of_waiting,
            reraise=True,
        )
        try:
            answer = patiently(self._asked, method, path, body)
        except httpx.HTTPStatusError as error:
            answer = error.response
        except httpx.HTTPError as error:
            raise WorkspaceException(f"{self!r} does not answer: {type(error).__name__}: {error}") from None
        if (missing and answer.status_code == 404) or answer.status_code == repeated:
            return None
        if not answer.is_success:
            raise WorkspaceException(f"{self!r} refused ({answer.status_code}): {refusal_of(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """The answer; a token that is no longer good is renewed once."""
        answer = self._sent(method, path, body)
        if answer.status_code == 401 and self._login:
            self._token = None
            answer = self._sent(method, path, body)
        return answer

    def _sent(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        import httpx

        if self._client is None:
            self._client = httpx.Client(base_url=self._url, timeout=_SECONDS)
        if self._token is None:
            self._token = self._logged_in(self._client) if self._login else str(self._password)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        return _there(self._client.request(method, path, headers=headers, json=body))

    def _tell_of_waiting(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:
            error = state.outcome.exception() if state.outcome is not None else None
            _log.warning("%r does not answer (%s); it is asked again for %.0f s.", self, error, _PATIENCE)

    def _logged_in(self, client: httpx.Client) -> str:
        answer = _there(
            client.post("/auth/token", json={"username": self._login, "password": self._password})
        )
        if not answer.is_success:
            raise WorkspaceException(
                f"{self!r} does not let user {self._login!r} of connection {self._conn_id!r} in "
                f"({answer.status_code}): {refusal_of(answer)}"
            )
        return str(answer.json()["access_token"])


def _there(answer: httpx.Response) -> httpx.Response:
    """An answer, if there may not be another one soon.

    :raises httpx.HTTPStatusError: there may.
    """
    if answer.status_code in _AWAY:
        answer.raise_for_status()
    return answer
