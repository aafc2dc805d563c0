"""RecurrenceTimetable: Airflow's scheduler by a ScheduleRecurrence. The plugin registers it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from mlsteps.recurrence import ScheduleRecurrence
from mlsteps.recurrence.words import how_often, in_words

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A DAG that is seen for the first time does not make up for more.
_JUST_NOW = timedelta(minutes=5)


class RecurrenceTimetable(Timetable):
    """Runs a DAG at the moments of a recurrence, each of which is a run's logical date.

    Moments that pass while no scheduler runs are made up for by one run, or by all with ``catchup``. A
    backfill of a workspace's schedule may be of dates before it was made.

    :param recurrence: When.
    :param created: When it was made: where it names no start, it begins then, with a run at once.
    :param since: No run before that, whatever the recurrence says: when somebody enabled it.
    """

    def __init__(
        self, recurrence: ScheduleRecurrence, created: datetime | None = None, since: datetime | None = None
    ) -> None:
        self.recurrence = recurrence
        self.created = created
        self.since = since
        self.rule = recurrence.rule(created)
        self.description = in_words(self.rule)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecurrenceTimetable) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash(repr(self.serialize()))

    @property
    def summary(self) -> str:
        """What Airflow's pages show for the schedule."""
        return how_often(self.rule)

    def serialize(self) -> dict[str, Any]:
        """As Airflow's database keeps it."""
        return {
            "recurrence": self.recurrence.to_dict(),
            "created": None if self.created is None else self.created.isoformat(),
            "since": None if self.since is None else self.since.isoformat(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """What :meth:`serialize` wrote."""
        times = (datetime.fromisoformat(data[name]) if data[name] else None for name in ("created", "since"))
        return cls(ScheduleRecurrence.from_dict(data["recurrence"]), *times)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """The interval of a run that somebody triggers: that very moment."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run."""
        # As a schedule does not catch up, it is somebody who asks: for a backfill.
        bounded = restriction.earliest is not None and restriction.latest is not None
        backfill = self.created is not None and restriction.catchup and bounded
        earliest: list[datetime] = [_EPOCH]
        since = None if backfill else self.since
        earliest += (moment for moment in (restriction.earliest, since) if moment is not None)
        if last_automated_data_interval is not None:
            earliest.append(last_automated_data_interval.end + timedelta(seconds=1))
        if not restriction.catchup:
            # Of what has passed only the last. It has to be said again for as long as there is no run of it:
            # a DAG that is parsed in that very moment must not lose it.
            now = _now()
            earliest.append(self.rule.last_until(now) or now)
            if last_automated_data_interval is None and self.since is None:
                earliest.append(now - _JUST_NOW)
        found = replace(self.rule, backwards=backfill).next_from(max(earliest))
        if found is None or (restriction.latest is not None and found > restriction.latest):
            return None
        return DagRunInfo.exact(pendulum.instance(found, tz="UTC"))


def _now() -> datetime:
    return datetime.now(timezone.utc)
