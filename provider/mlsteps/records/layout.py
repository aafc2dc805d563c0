"""Where records lie on the workspace's record store. All paths of records are made here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

RUNS = "mlsteps/runs"
SNAPSHOTS = "mlsteps/snapshots"
MODELS = "mlsteps/registry/models"
MODEL_FILES = "mlsteps/models"

# Some file systems drop a dot at the end.
_SAFE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._=-]{0,118}[A-Za-z0-9_=-])?")


def path_part(name: str) -> str:
    """``name`` as one part of a path that every file system and URL takes.

    A name that has to be altered gets a short hash of the original, so that two names never meet.
    """
    if _SAFE.fullmatch(name):
        return name
    return _altered(name, name)


def run_folder(dag_id: str, run_id: str) -> str:
    """The folder of one DAG run."""
    return f"{RUNS}/{path_part(dag_id)}/{path_part(run_id)}"


def step_key(task_id: str, map_index: int = -1) -> str:
    """A step within its run: its task id, and the index of a mapped task."""
    # No task id has an equals sign, many have a dot.
    return task_id if map_index < 0 else f"{task_id}={map_index}"


def step_folder(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The folder of one step of a run."""
    return f"{run_folder(dag_id, run_id)}/steps/{path_part(step_key(task_id, map_index))}"


def try_folder(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """The folder of one try of a step: its record, logs, kept files and manifests."""
    return numbered_try(step_folder(dag_id, run_id, task_id, map_index), try_number)


def numbered_try(folder: str, try_number: int) -> str:
    """The folder of one try, below the folder of its step."""
    return f"{folder}/try-{try_number}"


def try_numbers(names: Iterable[str]) -> list[int]:
    """The numbers of the tries among the names in a step's folder."""
    return [int(name[4:]) for name in names if name.startswith("try-") and name[4:].isdigit()]


def step_run_id(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """The id of one try of a step: unique, and one part of a path. Every try writes to places of its own."""
    parts = (dag_id, run_id, step_key(task_id, map_index), str(try_number))
    readable = ".".join(parts)
    if _SAFE.fullmatch(readable) and "." not in dag_id + run_id:  # else two ids could read the same
        return readable
    return _altered(readable, "/".join(map(path_part, parts)), longest=200)


def _altered(name: str, distinct: str, longest: int = 120) -> str:
    """What is readable of ``name``, with a digest of ``distinct``, which says what it is the name of."""
    digest = hashlib.sha256(distinct.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.")[: longest - 13] or "x"
    return f"{readable}~{digest}"
