"""The ids of the DAGs that published pipelines and endpoints are, and where they are triggered."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from mlsteps.compat import conf

# So that none of them is the id of a DAG in somebody's own file.
PUBLISHED, ENDPOINT = "published", "endpoint"

_ALLOWED = re.compile(r"[A-Za-z0-9_.\-]{1,180}")


def dag_id_of(kind: str, name: str) -> str:
    """The DAG's id. A name that has to be altered gets a short hash, so that two names never meet."""
    if _ALLOWED.fullmatch(name):
        return f"{kind}.{name}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name)[:180].strip("_")
    return f"{kind}.{readable}--{digest}"


def trigger_url(dag_id: str) -> str:
    """Where Airflow's REST API starts a run: POST, with ``{"logical_date": null, "conf": {...}}``."""
    base = str(conf.get("api", "base_url", fallback="") or "http://localhost:8080").rstrip("/")
    return f"{base}/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"
