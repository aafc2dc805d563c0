"""Task ids from the names of steps: allowed by Airflow, and free in a DAG."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlsteps.compat import current_dag, current_task_group

if TYPE_CHECKING:
    from airflow.sdk import DAG, TaskGroup


def task_id_from_name(name: str) -> str:
    """A task id that Airflow takes, as close to a step's name as can be."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.strip())[:200].strip("_") or "step"


def free_task_id(wanted: str, dag: DAG | None = None, task_group: TaskGroup | None = None) -> str:
    """``wanted``, or where a task of the DAG has this id ``wanted__1``, ``wanted__2``...

    As Airflow names TaskFlow's tasks, without looking at every task of the DAG: many steps may have one name.

    :param dag: Default: the one whose ``with`` block is being run; without one every id is free.
    """
    dag = dag or current_dag()
    if dag is None:
        return wanted
    group: Any = task_group or current_task_group(dag)

    def is_taken(task_id: str) -> bool:
        return bool(dag.has_task(group.child_id(task_id) if group else task_id))

    if not is_taken(wanted):
        return wanted
    core = re.split(r"__\d+$", wanted)[0]
    taken, free = 0, 1
    while is_taken(f"{core}__{free}"):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        taken, free = (middle, free) if is_taken(f"{core}__{middle}") else (taken, middle)
    return f"{core}__{free}"
