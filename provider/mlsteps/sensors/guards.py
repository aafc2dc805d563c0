"""The tasks that a ReuseSensor guards: which they are, how they tell of success, what others take of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, XComArg

from mlsteps.sensors.refusing import refused
from mlsteps.steps.base import is_step
from mlsteps.steps.task_fields import declared_fields, expand_inputs

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

_LOG = logging.getLogger(__name__)

_EXPECTED = "Give operators, what calling a @task function gives, or TaskGroups."


def guard_tasks(sensor: Any, guards: object) -> list[Any]:
    """The operators that were given as guards, each once.

    :raises UserErrorException: something else was given, or tasks that a sensor cannot guard.
    """
    given = guards if isinstance(guards, (list, tuple, set)) else [guards]
    found: dict[str, Any] = {}
    for item in given:
        for task in _tasks(sensor, item):
            _check(sensor, task)
            found[task.task_id] = task
    if not found:
        raise refused(sensor.task_id, "guards", "it holds no task", _EXPECTED)
    dag = sensor.get_dag() or next(iter(found.values())).get_dag()
    for task in found.values():
        if dag is None or task.get_dag() is not dag:
            where = f"is in DAG {task.get_dag().dag_id!r}" if task.get_dag() else "is in no DAG"
            mine = f"in {dag.dag_id!r}" if dag is not None else "in no DAG either"
            raise refused(
                sensor.task_id,
                "guards",
                f"task {task.task_id!r} {where}, the sensor {mine}",
                "A sensor guards tasks of its own DAG.",
            )
    return list(found.values())


def _tasks(sensor: Any, item: Any) -> Iterator[Any]:
    if isinstance(item, TaskGroup):
        # The sensor itself may stand in the group.
        yield from (task for task in item.iter_tasks() if task is not sensor)
        return
    # What calling a @task function gives; a result that is put together of several has no operator.
    task = getattr(item, "operator", None) if isinstance(item, XComArg) else item
    if not (isinstance(getattr(task, "task_id", None), str) and hasattr(task, "on_success_callback")):
        kind = getattr(item, "__name__", None) or type(item).__name__
        raise refused(sensor.task_id, "guards", f"{kind} is no task", _EXPECTED)
    yield task


def _check(sensor: Any, task: Any) -> None:
    from mlsteps.sensors.reuse import ReuseSensor

    if is_step(task):
        raise refused(
            sensor.task_id,
            "guards",
            f"{task.task_id!r} is a pipeline step, which decides about reuse by itself",
            "Leave guards out: a ReuseSensor without them plans all steps of its DAG.",
        )
    if isinstance(task, ReuseSensor):
        raise refused(sensor.task_id, "guards", f"{task.task_id!r} is a ReuseSensor", "Leave it out.")
    if task.get_closest_mapped_task_group() is not None:
        raise refused(
            sensor.task_id,
            "guards",
            f"{task.task_id!r} is in a mapped task group",
            "Map the tasks themselves, or leave that group out.",
        )
    other = next((known for known in _callbacks(task) if isinstance(known, GuardSucceeded)), None)
    if other is not None:
        raise refused(
            sensor.task_id, "guards", f"{task.task_id!r} is guarded by {other.sensor!r} already", "Use one."
        )


def guard(sensor: Any, tasks: Sequence[Any]) -> None:
    """Let tasks wait for the sensor, and tell when they have succeeded."""
    sensor.set_downstream(list(tasks))
    for task in tasks:
        # A new list: default_args may have given one to many tasks.
        task.on_success_callback = [*_callbacks(task), GuardSucceeded(sensor.task_id)]


def _callbacks(task: Any) -> list[Any]:
    known = task.on_success_callback
    if not known:
        return []
    return list(known) if isinstance(known, Collection) else [known]


@dataclass(frozen=True)
class GuardSucceeded:
    """What Airflow calls when a guarded task has succeeded. Never an error of the task's.

    :param sensor: By its id: a copy of the DAG has a sensor of its own.
    """

    sensor: str

    def __call__(self, context: Context) -> None:
        """Keep what the task left; the last of all guards keeps it for later runs."""
        from mlsteps.sensors.landing import guard_succeeded

        try:
            guard_succeeded(self.sensor, context)
        except Exception as error:
            _LOG.warning(
                "The result cannot be kept for later runs of %r: %s: %s",
                self.sensor,
                type(error).__name__,
                error,
            )


def keys_of(dag: DAG, guards: Collection[str], given: Sequence[str]) -> dict[str, list[str]]:
    """The XComs of each guard that have to be there when it is skipped, by its task id.

    :param given: Keys that the sensor was told; added is what tasks that are no guards take.
    """
    keys = {task_id: set(given) for task_id in guards}
    for maker, _, key in taken(dag, guards):
        keys[maker].add(key)
    return {task_id: sorted(found) for task_id, found in keys.items()}


def taken(dag: DAG, guards: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Results of guards that other tasks take: who made it, who takes it, and its key."""
    for task in dag.tasks:
        if task.task_id not in guards:
            for maker, key in XComArg.iter_xcom_references(_declared(task)):
                if maker.task_id in guards:
                    yield maker.task_id, task.task_id, key


def _declared(task: Any) -> list[Any]:
    return [*declared_fields(task).values(), *expand_inputs(task)]
