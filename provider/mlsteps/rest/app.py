"""The application that Airflow's API server has below ``/mlsteps``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import mlsteps
from mlsteps.rest.airflow_api import AIRFLOW_APP
from mlsteps.rest.errors import RestError
from mlsteps.rest.routes import router


class MountedApp(FastAPI):
    """An application that knows the one it is mounted in."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope[AIRFLOW_APP] = scope.get("app")
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The document, without the answer 422: :func:`_wrong_request` sees to that."""
        document = super().openapi()
        for methods in document["paths"].values():
            for call in methods.values():
                call["responses"].pop("422", None)
        return document


def make_app() -> FastAPI:
    """A new application; for the plugin."""
    app = MountedApp(
        title="mlsteps: runs of published pipelines",
        description="SDK v1's REST calls. Airflow's own do the same: POST /api/v2/dags/{dag_id}/dagRuns.",
        version=mlsteps.__version__,
    )
    app.include_router(router)
    app.add_exception_handler(RestError, _refused)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(HTTPException, _not_served)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RestError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(error.body(), error.status, headers)


async def _wrong_request(request: Request, error: Exception) -> JSONResponse:
    """SDK v1's service answers 400 where FastAPI does 422."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    target = ".".join(str(part) for part in first["loc"] if part != "body") or None
    message = str(first["msg"]).removeprefix("Value error, ")
    refusal = RestError(400, f"{target or 'The body'}: {message}", target)
    return JSONResponse(refusal.body(), refusal.status)


async def _not_served(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    refusal = RestError(error.status_code, str(error.detail))
    return JSONResponse(refusal.body(), refusal.status, error.headers)
