"""The calls of Airflow's REST API for DAGs and their runs, whoever makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx

ROOT = "/api/v2"


def dag_path(dag_id: str) -> str:
    """What Airflow knows of a DAG, with the fields of its trigger form."""
    return f"{ROOT}/dags/{quote(dag_id, safe='')}/details"


def runs_path(dag_id: str) -> str:
    """A DAG's runs."""
    return f"{ROOT}/dags/{quote(dag_id, safe='')}/dagRuns"


def run_path(dag_id: str, run_id: str) -> str:
    """One of them."""
    return f"{runs_path(dag_id)}/{quote(run_id, safe='')}"


def run_body(run_id: str, conf: Mapping[str, Any], note: str | None = None) -> dict[str, Any]:
    """The body that starts a run of a DAG."""
    return {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf), "note": note}


def refusal_of(answer: httpx.Response) -> str:
    """Why Airflow refused a call, in its words."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"Airflow answered {answer.status_code}."
    return str(detail)
