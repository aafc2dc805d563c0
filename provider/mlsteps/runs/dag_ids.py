"""The id of the DAG that an experiment's runs belong to."""

from __future__ import annotations

import re


def dag_id_from_name(name: str) -> str:
    """A DAG id that Airflow takes, as close to an experiment's name as can be."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.strip())[:200].strip("_") or "pipeline"
