"""The ids of the DAGs that published pipelines, endpoints and schedules are, and where they are triggered."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from mlsteps.compat import conf
from mlsteps.runs.dag_ids import WATCH

# Where Airflow's API server has our part.
URL_PREFIX = "/mlsteps"

_ALLOWED = re.compile(r"[A-Za-z0-9_.\-]{1,180}")


def dag_id_of(kind: str, name: str) -> str:
    """The DAG's id. A name that has to be altered gets a short hash, so that two names never meet."""
    if _ALLOWED.fullmatch(name):
        return f"{kind}.{name}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name)[:180].strip("_")
    return f"{kind}.{readable}--{digest}"


def watch_dag_id(schedule: str) -> str:
    """The id of the DAG that looks at data for the DAG of a schedule."""
    return f"{WATCH}.{schedule.partition('.')[2]}"


def submit_url(dag_id: str, verb: str, id: str) -> str:
    """Where SDK v1's clients start a run of it; see ``mlsteps.rest``.

    :param verb: ``PipelineSubmit`` or ``PipelineEndpointSubmit/Id``.
    :param id: Of the publication or endpoint.
    """
    base = str(conf.get("api", "base_url", fallback="") or "http://localhost:8080").rstrip("/")
    return f"{base}{URL_PREFIX}/v1.0/dags/{quote(dag_id, safe='')}/PipelineRuns/{verb}/{quote(id, safe='')}"


def told_publication(id: str) -> str:
    """The line of a DAG's documentation that says which publication it runs."""
    return f"- Id: `{id}`"


def publication_told(doc_md: str | None) -> str | None:
    """Which publication a DAG says that it runs."""
    found = re.search(r"^- Id: `([^`]+)`$", doc_md or "", re.MULTILINE)
    return found[1] if found else None
