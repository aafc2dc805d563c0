"""ScheduleRecurrence: when a schedule runs, as SDK v1's users write it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pendulum
from pendulum.tz.exceptions import InvalidTimezone

from mlsteps.exceptions import UserErrorException
from mlsteps.recurrence.rule import DAY, HOUR, MINUTE, MONTH, WEEK, Rule
from mlsteps.recurrence.time_zones import TimeZone
from mlsteps.recurrence.windows_zones import WINDOWS_ZONES

WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_FREQUENCIES = (MINUTE, HOUR, DAY, WEEK, MONTH)
_FORMAT = "%Y-%m-%dT%H:%M:%S"
_FIELDS = (
    "frequency",
    "interval",
    "start_time",
    "time_zone",
    "hours",
    "minutes",
    "week_days",
    "time_of_day",
)
# A Monday. Where nothing says when a recurrence begins, all processes have to count from the same day.
_EPOCH = datetime(2018, 1, 1)


class ScheduleRecurrence:
    """When a schedule runs: every so many minutes, hours, days, weeks or months.

    >>> ScheduleRecurrence("Week", 2, week_days=["Monday"], time_of_day="06:30",
    ...                    time_zone=TimeZone.WEuropeStandardTime)

    :param frequency: ``Minute``, ``Hour``, ``Day``, ``Week`` or ``Month``.
    :param interval: Every so many of them.
    :param start_time: When it begins: a datetime without a time zone, or text as ``2026-01-31T06:30:00``.
        One in the past is counted from. Default: at once.
    :param time_zone: Of ``start_time`` and all times: a TimeZone, Windows' name of one, or an IANA name such
        as ``Europe/Berlin``. Default: UTC.
    :param hours: Hours of the day, 0 to 23, of ``Day`` and ``Week``.
    :param minutes: Minutes of these hours.
    :param week_days: English names, of ``Week``. Default: the weekday of the start.
    :param time_of_day: ``hh:mm``, in place of hours and minutes.

    (SDK v1: ``azureml.pipeline.core.ScheduleRecurrence``.)
    """

    def __init__(
        self,
        frequency: str,
        interval: int,
        start_time: datetime | str | None = None,
        time_zone: TimeZone | str | None = None,
        hours: Sequence[int] | None = None,
        minutes: Sequence[int] | None = None,
        week_days: Sequence[str] | None = None,
        time_of_day: str | None = None,
    ) -> None:
        self.frequency = frequency
        self.interval = interval
        self.start_time = start_time
        self.time_zone = time_zone
        self.hours = hours
        self.minutes = minutes
        self.week_days = week_days
        self.time_of_day = time_of_day

    def __repr__(self) -> str:
        given = (f"{name}={getattr(self, name)!r}" for name in _FIELDS if getattr(self, name) is not None)
        return f"ScheduleRecurrence({', '.join(given)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScheduleRecurrence) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))

    def validate(self) -> None:
        """Check it; creating a schedule does.

        :raises UserErrorException: naming the argument, and what it may be.
        """
        if self.frequency not in _FREQUENCIES:
            raise _wrong("frequency", self.frequency, f"one of {', '.join(_FREQUENCIES)}")
        if not _is_number(self.interval, 1, None):
            raise _wrong("interval", self.interval, "a whole number from 1 on")
        self._start()
        self.zone  # noqa: B018  raises
        if self.frequency not in (DAY, WEEK):
            for name in ("hours", "minutes", "time_of_day"):
                if getattr(self, name) is not None:
                    raise _wrong(name, getattr(self, name), "left out: it is for frequency Day or Week")
        if self.week_days is not None and self.frequency != WEEK:
            raise _wrong("week_days", self.week_days, "left out: it is for frequency Week")
        if self.time_of_day is not None and (self.hours is not None or self.minutes is not None):
            raise _wrong("time_of_day", self.time_of_day, "left out where there are hours or minutes")
        for name, last in (("hours", 23), ("minutes", 59)):
            given = getattr(self, name)
            if given is not None and not (_is_list(given) and all(_is_number(one, 0, last) for one in given)):
                raise _wrong(name, given, f"a list of whole numbers from 0 to {last}")
        if self.time_of_day is not None:
            self._time_of_day()
        if self.week_days is not None and not (
            _is_list(self.week_days) and all(day in WEEK_DAYS for day in self.week_days)
        ):
            raise _wrong("week_days", self.week_days, f"a list of {', '.join(WEEK_DAYS)}")

    @property
    def zone(self) -> str:
        """The IANA name of its time zone.

        :raises UserErrorException: nobody knows it.
        """
        if self.time_zone is None:
            return "UTC"
        given = self.time_zone.value if isinstance(self.time_zone, TimeZone) else self.time_zone
        if isinstance(given, str):
            member = TimeZone.__members__.get(given)
            name = WINDOWS_ZONES.get(member.value if member else given, given)
            try:
                return str(pendulum.timezone(name).name)
            except (InvalidTimezone, ValueError, OSError):
                pass
        raise _wrong("time_zone", given, "a TimeZone, or a name such as Europe/Berlin")

    def rule(self, created: datetime | None = None) -> Rule:
        """Its moments.

        :param created: Where it names no start, it begins then, with a run at once. Without either it is
            counted from a Monday at midnight.
        :raises UserErrorException: it is not valid.
        """
        self.validate()
        given = self._start()
        start = given or _EPOCH
        if given is None and created is not None:
            start = created.astimezone(pendulum.timezone(self.zone)).replace(tzinfo=None, microsecond=0)
        return Rule(
            self.frequency,
            self.interval,
            start,
            self.zone,
            tuple(sorted({WEEK_DAYS.index(day) for day in self.week_days or ()})),
            self._times(start, given is not None),
            at_once=given is None and created is not None,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON; :meth:`from_dict` reads it."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        start = self._start()
        fields["start_time"] = None if start is None else start.strftime(_FORMAT)
        if isinstance(self.time_zone, TimeZone):
            fields["time_zone"] = self.time_zone.value
        lists = {
            name: list(fields[name]) for name in ("hours", "minutes", "week_days") if fields[name] is not None
        }
        return {**fields, **lists}

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> ScheduleRecurrence:
        """The recurrence that :meth:`to_dict` wrote."""
        return ScheduleRecurrence(**{name: fields.get(name) for name in _FIELDS})  # type: ignore[arg-type]

    def _start(self) -> datetime | None:
        given: object = self.start_time
        if given is None:
            return None
        if isinstance(given, str):
            try:
                return datetime.strptime(given, _FORMAT)
            except ValueError:
                raise _wrong("start_time", given, "a text as 2026-01-31T06:30:00") from None
        if isinstance(given, datetime) and given.tzinfo is None:
            return given.replace(microsecond=0)
        raise _wrong("start_time", given, "a datetime without tzinfo (time_zone= is for that), or text")

    def _times(self, start: datetime, start_is_given: bool) -> tuple[tuple[int, int], ...]:
        if self.time_of_day is not None:
            return (self._time_of_day(),)
        if not self.hours and not self.minutes:
            # Of days of the week nothing else says at which time.
            return ((start.hour, start.minute),) if self.week_days else ()
        hours = self.hours or (start.hour,)
        minutes = self.minutes or ((start.minute if start_is_given else 0),)
        return tuple(sorted({(hour, minute) for hour in hours for minute in minutes}))

    def _time_of_day(self) -> tuple[int, int]:
        try:
            at = datetime.strptime(str(self.time_of_day), "%H:%M")
        except ValueError:
            raise _wrong("time_of_day", self.time_of_day, "a text as 06:30") from None
        return at.hour, at.minute


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: object, first: int, last: int | None) -> bool:
    return type(value) is int and value >= first and (last is None or value <= last)


def _wrong(name: str, value: object, expected: str) -> UserErrorException:
    return UserErrorException(f"ScheduleRecurrence, argument {name!r}: expected {expected}, got {value!r}.")
