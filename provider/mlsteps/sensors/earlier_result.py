"""An earlier result of guarded tasks, fitted to the tasks of this run and given to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, TriggerRule

from mlsteps.compat import from_plain, set_xcom
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.entry import ReuseEntry
from mlsteps.sensors.guards import taken
from mlsteps.steps.handed_on import MOST_XCOMS
from mlsteps.steps.reuse_link import REUSE_KEY, ReusedFromLink

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

# Of a task that is not mapped, or not yet.
_NO_INDEX = -1


class NotHandedOn(Exception):
    """Why an earlier result cannot be given to the tasks of this run.

    :param lasting: Whether it will never be.
    """

    def __init__(self, why: str, lasting: bool) -> None:
        super().__init__(why)
        self.lasting = lasting


@dataclass(frozen=True)
class Instance:
    """A guard, or one of its mapped instances, and the XComs that it left in an earlier run.

    :param exists: Whether Airflow has made it in this run; of a mapped task it may do so later.
    """

    task: Any
    map_index: int
    values: Mapping[str, Any]
    exists: bool

    def __str__(self) -> str:
        return self.task.task_id if self.map_index < 0 else f"{self.task.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class EarlierResult:
    """What guards left in an earlier run, for those of this run."""

    entry: ReuseEntry
    instances: Sequence[Instance]

    @classmethod
    def fitted(cls, entry: ReuseEntry, guards: Sequence[Any], context: Context) -> EarlierResult:
        """The result in an entry, for the tasks of a run.

        :raises NotHandedOn: it does not fit them.
        """
        fitting = _Fitting(entry, [task.task_id for task in guards], context)
        return cls(entry, [one for task in guards for one in fitting.instances(task)])

    def hand_on(self, decision: Decision, context: Context, log: Any) -> None:
        """Give each guard its earlier XComs, and the reason."""
        ti = context["ti"]
        present = [one for one in self.instances if one.exists]
        reasons = sum(len(one.values) + 1 for one in present) <= MOST_XCOMS
        for one in present:
            for key, value in one.values.items():
                _push(ti, one, key, value)
            url = ReusedFromLink.url(
                replace(self.entry.origin, task_id=one.task.task_id, map_index=one.map_index)
            )
            log.info("%s is reused from %s", one, url)
            # A step behind a skipped task takes it for reused by this reason.
            if reasons or not one.task.is_mapped:
                _push(ti, one, REUSE_KEY, decision.in_words())
            for link in one.task.operator_extra_links:
                if isinstance(link, ReusedFromLink):
                    _push(ti, one, link.xcom_key, url)

    def skipped(self) -> list[str | tuple[str, int]]:
        """What Airflow has to skip: by index where it has made the instances, as a whole where not."""
        whole = dict.fromkeys(one.task.task_id for one in self.instances)
        return [*whole, *((one.task.task_id, one.map_index) for one in self.instances if one.task.is_mapped)]


@dataclass(frozen=True)
class _Fitting:
    entry: ReuseEntry
    guards: Sequence[str]
    context: Context

    def instances(self, task: Any) -> Iterator[Instance]:
        kept = self.entry.values.get(task.task_id)
        if not isinstance(kept, Mapping) or not all(isinstance(left, Mapping) for left in kept.values()):
            raise NotHandedOn(f"The kept result holds nothing of {task.task_id!r}", lasting=True)
        indexes = sorted(int(index) for index in kept)
        now = self._indexes_now(task) if task.is_mapped else [_NO_INDEX]
        if now == [_NO_INDEX]:
            self._check_nothing_mapped_over(task)
        if task.is_mapped and now == [_NO_INDEX]:
            self._check_not_taken(task, any(kept.values()))
        elif now != indexes:
            raise NotHandedOn(
                f"Task {task.task_id!r} is mapped over {len(now)} values now, and was over {len(indexes)}",
                lasting=True,
            )
        for index in indexes:
            yield Instance(task, index, _values(task, kept[str(index)]), index in now)

    def _indexes_now(self, task: Any) -> list[int]:
        """The indexes of a mapped task in this run; a single -1 where Airflow has not made its instances."""
        ti = self.context["ti"]
        states: Mapping[str, Any] = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[task.task_id], run_ids=[ti.run_id]
        ).get(ti.run_id, {})
        names = [name for name, state in states.items() if str(state) != "removed"]
        start = len(task.task_id) + 1
        return sorted(_NO_INDEX if name == task.task_id else int(name[start:]) for name in names)

    def _check_nothing_mapped_over(self, task: Any) -> None:
        """Refuse where somebody is to run although this task is skipped, but Airflow would not run it."""
        for node in task.iter_mapped_dependants():
            for behind in node.iter_tasks() if isinstance(node, TaskGroup) else [node]:
                if behind.task_id not in self.guards and behind.trigger_rule != TriggerRule.ALL_SUCCESS:
                    raise NotHandedOn(
                        f"Airflow would skip {behind.task_id!r}, too, which is mapped over the result of "
                        f"{task.task_id!r}, although its trigger rule is {behind.trigger_rule}; "
                        f"with {behind.task_id!r} among the guards, both are skipped",
                        lasting=False,
                    )

    def _check_not_taken(self, task: Any, has_values: bool) -> None:
        """Refuse where somebody needs XComs that have no place yet: Airflow keeps them with instances."""
        dag: DAG = self.context["dag"]
        taker = next((taker for maker, taker, _ in taken(dag, self.guards) if maker == task.task_id), None)
        if has_values and taker is not None:
            raise NotHandedOn(
                f"What {task.task_id!r} is mapped over is known only when it runs, so {taker!r} cannot be "
                f"given its earlier results; with {taker!r} among the guards, both are skipped",
                lasting=False,
            )


def _values(task: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for key, plain in kept.items():
        try:
            values[key] = from_plain(plain)
        except Exception as error:  # whatever a class of the user's raises when it is made again
            raise NotHandedOn(
                f"The kept XCom {key!r} of {task.task_id!r} cannot be read: {type(error).__name__}: {error}",
                lasting=True,
            ) from error
    return values


def _push(ti: Any, one: Instance, key: str, value: Any) -> None:
    set_xcom(
        key,
        value,
        dag_id=ti.dag_id,
        task_id=one.task.task_id,
        run_id=ti.run_id,
        map_index=one.map_index,
    )
