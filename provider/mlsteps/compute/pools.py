"""The Airflow pool that stands for a compute target: its slots are the jobs that run there at a time."""

from __future__ import annotations

import re

_UNUSABLE = re.compile(r"[^A-Za-z0-9_.-]+")


def pool_name(workspace: str, compute_target: str) -> str:
    """The name of a compute target's pool.

    Made of names only, so that a DAG file knows it without a lookup.
    """
    return f"mlsteps_{_UNUSABLE.sub('_', workspace)}_{_UNUSABLE.sub('_', compute_target)}"[:250]
