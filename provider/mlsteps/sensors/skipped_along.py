"""Tasks that Airflow skips because a task before them is skipped: told, since few expect it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from airflow.sdk import TriggerRule

if TYPE_CHECKING:
    from airflow.sdk import DAG


def tasks_skipped_along(
    dag: DAG, skipped: Collection[str], besides: Collection[str], advice: str
) -> Iterator[str]:
    """A warning for each task that runs only when all before it really ran, and one of them is skipped.

    :param skipped: Ids of the tasks that the sensor skips.
    :param besides: Ids of tasks of which the plan has told already.
    :param advice: What to do instead of another trigger rule.
    """
    for task in dag.tasks:
        if task.task_id in besides or task.trigger_rule != TriggerRule.ALL_SUCCESS:
            continue
        for before in sorted(task.upstream_task_ids.intersection(skipped))[:1]:
            yield (
                f"Task {task.task_id!r} is skipped, too: its trigger rule is all_success, so it runs only "
                f"when {before!r} really ran. To run it always, give it trigger_rule='none_failed', "
                f"or {advice}."
            )
