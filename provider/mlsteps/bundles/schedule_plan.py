"""SchedulePlan: what the DAG of a schedule has besides its pipeline. And which DAGs a schedule has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlsteps.publishing.dag_ids import dag_id_of, watch_dag_id
from mlsteps.records.schedules import ScheduleRecord
from mlsteps.records.watches import Watch
from mlsteps.recurrence import ScheduleRecurrence
from mlsteps.runs.dag_ids import SCHEDULE

if TYPE_CHECKING:
    from mlsteps.launcher.strict_json import Fields
    from mlsteps.timetables import RecurrenceTimetable


@dataclass(frozen=True)
class SchedulePlan:
    """When and with what a schedule runs its pipeline.

    :param schedule: Its id.
    :param experiment: What runs are recorded under.
    :param parameters: Values that are not the pipeline's defaults.
    :param recurrence, begun, since: When, as in the schedule's record.
    :param go_on: Whether steps go on that do not depend on one that failed; None is Airflow's rule.
    :param watch: For a DAG that looks at data: where.
    :param starts: For such a DAG: the id of the one that it starts runs of.
    :param changed_file: The parameter that a run gets a changed file by.
    """

    schedule: str
    experiment: str
    begun: str
    since: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    recurrence: Mapping[str, Any] | None = None
    watch: Watch | None = None
    starts: str | None = None
    changed_file: str | None = None
    go_on: bool | None = None

    @staticmethod
    def read(fields: Fields) -> SchedulePlan:
        """The plan that was written with :func:`dataclasses.asdict`."""
        watch = fields.optional_nested("watch")
        plan = SchedulePlan(
            fields.text("schedule"),
            fields.text("experiment"),
            fields.text("begun"),
            fields.text("since"),
            fields.items("parameters"),
            fields.value("recurrence"),
            None if watch is None else _watch(watch),
            fields.optional_text("starts"),
            fields.optional_text("changed_file"),
            fields.optional_flag("go_on"),
        )
        fields.finish()
        return plan

    @property
    def timetable(self) -> RecurrenceTimetable | None:
        """When Airflow's scheduler makes runs by itself."""
        if self.recurrence is None:
            return None
        from mlsteps.timetables import RecurrenceTimetable

        begun, since = (datetime.fromisoformat(text) for text in (self.begun, self.since))
        return RecurrenceTimetable(ScheduleRecurrence.from_dict(self.recurrence), begun, since)


def _watch(fields: Fields) -> Watch:
    watch = Watch(fields.text("datastore"), fields.text("path"), fields.number("minutes"))
    fields.finish()
    return watch


def with_dag_ids(schedules: Iterable[ScheduleRecord]) -> Iterator[tuple[ScheduleRecord, str]]:
    """Schedules that have a DAG, with its id.

    Of several that had one id one after the other it is the active one's, or the newest one's. Two that were
    created in the same moment may both have it: the later one gets another.
    """
    of_id: dict[str, list[ScheduleRecord]] = {}
    for schedule in sorted(schedules, key=lambda one: (one.created, one.id)):
        of_id.setdefault(schedule.dag_id, []).append(schedule)
    for dag_id, those in of_id.items():
        active = [schedule for schedule in those if schedule.active]
        yield (active or those[::-1])[0], dag_id
        for later in active[1:]:
            yield later, dag_id_of(SCHEDULE, f"{later.name}--{later.id[:8]}")


def plans(schedule: ScheduleRecord, dag_id: str) -> Iterator[tuple[str, SchedulePlan]]:
    """The DAGs of a schedule by their ids: what runs its pipeline, and what looks at data for it."""
    common = (schedule.id, schedule.experiment_name, schedule.begun, schedule.since)
    yield (
        dag_id,
        SchedulePlan(
            *common, schedule.parameters, schedule.recurrence, go_on=schedule.continue_on_step_failure
        ),
    )
    if schedule.watch is not None:
        yield (
            watch_dag_id(dag_id),
            SchedulePlan(
                *common,
                watch=schedule.watch,
                starts=dag_id,
                changed_file=schedule.data_path_parameter_name,
            ),
        )
