"""How a run on Databricks stands or has ended, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")

# What is found in Databricks' own words, and what to do about it; the first that fits.
_ADVICE = (
    (
        r"quota|insufficient.?(instance|capacity)|out of capacity|stockout|AllocationFailed|SkuNotAvailable",
        "The cloud has no such machines for you now: another node_type or an instance pool may help, or a "
        "larger quota.",
    ),
    (
        r"permission|not authorized|unauthorized|forbidden|access.?denied|does not have",
        "Whoever the run runs as needs that right; see the documentation's list of rights.",
    ),
    (
        r"notebook.*(not|n't) (exist|found)|unable to access the notebook|RESOURCE_NOT_FOUND"
        r"|cannot read the python file",
        "Look after the path, and whether whoever the run runs as may read it.",
    ),
    (
        r"librar",
        "A library could not be installed: look after its name, version and repository.",
    ),
    (
        r"cluster.*terminat|terminated.*cluster|driver.*(unresponsive|not responding|restart)"
        r"|\bspot\b|CLUSTER_ERROR",
        "The cluster went away below the run; Airflow's retries start it again.",
    ),
    (
        r"spark.?version|invalid.*runtime",
        "The runtime is not offered any more: give a spark_version that the workspace has.",
    ),
)


def has_ended(run: Mapping[str, Any]) -> bool:
    """Whether nothing of a run goes on."""
    return str(run.get("state", {}).get("life_cycle_state")) in _ENDED


def may_still_succeed(run: Mapping[str, Any]) -> bool:
    """Whether it is worth going on with a run that nobody waits for: it neither failed nor is being ended."""
    state = run.get("state", {})
    if has_ended(run):
        return str(state.get("result_state")) == "SUCCESS"
    return str(state.get("life_cycle_state")) != "TERMINATING"


def task_run(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last attempt of the run's one task; the run itself, should it tell of none."""
    tasks = run.get("tasks") or [run]
    last: Mapping[str, Any] = max(tasks, key=lambda one: int(one.get("attempt_number") or 0))
    return last


def phase(run: Mapping[str, Any]) -> str:
    """Where a run stands, as a short line for the log."""
    state = run.get("state", {})
    life = str(state.get("life_cycle_state", "unknown")).lower().replace("_", " ")
    message = str(state.get("state_message") or task_run(run).get("state", {}).get("state_message") or "")
    return f"{life}: {message}" if message else life


def took_too_long(run: Mapping[str, Any]) -> bool:
    """Whether it was stopped at its time limit."""
    return str(run.get("state", {}).get("result_state")) == "TIMEDOUT"


def why_failed(run: Mapping[str, Any], output: Mapping[str, Any]) -> str | None:
    """What went wrong with a run that has ended; None if nothing did.

    :param output: What its task said.
    """
    state = run.get("state", {})
    result, life = str(state.get("result_state", "")), str(state.get("life_cycle_state", ""))
    if result == "SUCCESS":
        return None
    details = (run.get("status") or {}).get("termination_details") or {}
    task_state = task_run(run).get("state", {})
    found = (
        output.get("error")
        or task_state.get("state_message")
        or state.get("state_message")
        or details.get("message")
    )
    said = re.sub(r"\s+", " ", str(found or "it gave no reason")).strip()
    ended = {
        "TIMEDOUT": "took longer than timeout_seconds and was stopped",
        "CANCELED": "was canceled",
        "UPSTREAM_CANCELED": "was canceled",
    }.get(result, "could not be run" if life in ("INTERNAL_ERROR", "SKIPPED") else "failed")
    text = f"Databricks run {run.get('run_id')} {ended}: {said.rstrip('.')}."
    if not output.get("error") and ended not in ("was canceled",):
        told = f"{said} {details.get('code', '')} {details.get('message', '')}"
        text = f"{text} {advice(told)}".rstrip()
    page = run.get("run_page_url")
    return f"{text} See {page}" if page else text


def advice(told: str) -> str:
    """What to do about words of Databricks'; empty if they are none that we know."""
    for pattern, text in _ADVICE:
        if re.search(pattern, told, re.IGNORECASE):
            return text
    return ""
