"""The ids of the DAGs that runs belong to: an experiment's, and those that Airflow reads from a workspace."""

from __future__ import annotations

import re

# The property of a run that says which publication it is of; SDK v1's name.
PUBLICATION = "PipelineId"

# What a workspace's own DAGs begin with, so that none of them is the id of a DAG in somebody's file.
PUBLISHED, ENDPOINT, SCHEDULE, WATCH = "published", "endpoint", "schedule", "watch"
_PREFIXES = tuple(f"{kind}." for kind in (PUBLISHED, ENDPOINT, SCHEDULE, WATCH))


def is_read_from_workspace(dag_id: str) -> bool:
    """Whether a running Airflow has it from a workspace; such a DAG runs nowhere else."""
    return dag_id.startswith(_PREFIXES)


def dag_id_from_name(name: str) -> str:
    """A DAG id that Airflow takes, as close to an experiment's name as can be."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.strip())[:200].strip("_") or "pipeline"
