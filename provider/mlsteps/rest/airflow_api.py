"""Airflow's own REST API, asked from within the API server in the name of whoever calls.

So who may do what, what a run's values may be and what is written to the audit log is for Airflow to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mlsteps.hooks.airflow_calls import dag_path, refusal_of, run_body, run_path, runs_path
from mlsteps.rest.errors import RestError

# Key of a request's scope: the application that a plugin's own is mounted in.
AIRFLOW_APP = "mlsteps.airflow_app"

Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class AirflowApi:
    """Airflow's API, called with one caller's bearer token.

    :param app: The API server's application.
    :param authorization: The caller's header.
    """

    app: AsgiApp
    authorization: str

    async def dag(self, dag_id: str) -> dict[str, Any]:
        """What Airflow knows of a DAG, with the fields of its trigger form."""
        return await self._ask("GET", dag_path(dag_id))

    async def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run of a DAG."""
        return await self._ask("GET", run_path(dag_id, run_id))

    async def trigger(
        self, dag_id: str, run_id: str, conf: dict[str, Any], note: str | None
    ) -> dict[str, Any]:
        """Start a run of a DAG."""
        return await self._ask("POST", runs_path(dag_id), run_body(run_id, conf, note))

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; a refusal is passed on as it is.

        :raises RestError: Airflow refused.
        """
        import httpx

        # Never with a cookie: a browser sends that by itself, also where another page told it to.
        headers = {"Authorization": self.authorization, "Accept": "application/json"}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            answer = await client.request(method, path, headers=headers, json=body)
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        raise RestError(answer.status_code, refusal_of(answer))
