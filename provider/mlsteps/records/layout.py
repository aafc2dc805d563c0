"""Where records lie on the workspace's record store. All paths of records are made here."""

from __future__ import annotations

import hashlib
import re

RUNS = "mlsteps/runs"
SNAPSHOTS = "mlsteps/snapshots"
MODELS = "mlsteps/registry/models"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,119}")


def path_part(name: str) -> str:
    """``name`` as one part of a path that every file system and URL takes.

    A name that has to be altered gets a short hash of the original, so that two names never meet.
    """
    if _SAFE.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.")[:100] or "x"
    return f"{readable}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def run_folder(dag_id: str, run_id: str) -> str:
    """The folder of one DAG run."""
    return f"{RUNS}/{path_part(dag_id)}/{path_part(run_id)}"


def step_key(task_id: str, map_index: int = -1) -> str:
    """A step within its run: its task id, and the index of a mapped task."""
    return task_id if map_index < 0 else f"{task_id}.{map_index}"


def step_folder(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The folder of one step of a run."""
    return f"{run_folder(dag_id, run_id)}/steps/{path_part(step_key(task_id, map_index))}"


def try_folder(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """The folder of one try of a step: logs, kept files and manifests."""
    return f"{step_folder(dag_id, run_id, task_id, map_index)}/try-{try_number}"


def step_run_id(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """The id of one try of a step: unique, and usable in paths. Every try writes to places of its own."""
    return f"{path_part(dag_id)}.{path_part(run_id)}.{path_part(step_key(task_id, map_index))}.{try_number}"
