"""Rule: the moments of a recurrence, computed and never stepped through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import count

import pendulum

MINUTE, HOUR, DAY, WEEK, MONTH = "Minute", "Hour", "Day", "Week", "Month"

_ELAPSED = {MINUTE: timedelta(minutes=1), HOUR: timedelta(hours=1)}


@dataclass(frozen=True)
class Rule:
    """Moments, counted from a start.

    Minutes and hours are counted as time that passes. Days, weeks and months are the calendar's, and their
    times are the clock's: a time that a clock put forward leaves out comes as much later as it was put
    forward, and of a time that comes twice the first counts.

    :param start: In the time zone, without one.
    :param zone: IANA name.
    :param days: Of the week, 0 is Monday. Weeks begin on Monday.
    :param times: Hours and minutes of a day or week. With these or days, nothing is at the start itself.
    :param at_once: Whether the start is a moment, whatever else is.
    :param backwards: Whether it is counted back from the start, too.
    """

    frequency: str
    interval: int
    start: datetime
    zone: str
    days: tuple[int, ...] = ()
    times: tuple[tuple[int, int], ...] = ()
    at_once: bool = False
    backwards: bool = False

    def next_from(self, moment: datetime) -> datetime | None:
        """The first moment that is not before this one, in UTC; None at the end of all calendars."""
        moment, began = _plain(moment), self._utc(self.start)
        if self.at_once and moment <= began and not self.backwards:
            return began
        first = self._period_of(moment if self.backwards else max(moment, began)) - 1
        try:
            for number in count(first if self.backwards else max(0, first)):
                for found in self._moments(number):
                    if found >= moment:
                        return found
        except (OverflowError, ValueError):
            pass
        return None

    def last_until(self, moment: datetime) -> datetime | None:
        """The last moment that is not after this one, in UTC, or None."""
        moment, began = _plain(moment), self._utc(self.start)
        if moment < began:
            return None
        for number in range(self._period_of(moment) + 1, -1, -1):
            try:
                found = [one for one in self._moments(number) if one <= moment]
            except (OverflowError, ValueError):
                continue
            if found:
                return found[-1]
        return began if self.at_once else None

    def _period_of(self, moment: datetime) -> int:
        """About which period a moment is in: at most one more or less."""
        if self.frequency in _ELAPSED:
            return (moment - self._utc(self.start)) // (_ELAPSED[self.frequency] * self.interval)
        local = moment.astimezone(pendulum.timezone(self.zone)).replace(tzinfo=None)
        if self.frequency == MONTH:
            months = (local.year - self.start.year) * 12 + local.month - self.start.month
            return months // self.interval
        days = self.interval * (7 if self.frequency == WEEK else 1)
        return int((local.date() - self._first_day).days // days)

    def _moments(self, number: int) -> list[datetime]:
        """The moments of a period, in order."""
        if self.frequency in _ELAPSED:
            return [self._utc(self.start) + _ELAPSED[self.frequency] * self.interval * number]
        all_of_it = self.backwards or not (self.days or self.times)
        found = {self._utc(local) for local in self._local(number) if all_of_it or local > self.start}
        return sorted(found)

    def _local(self, number: int) -> Iterator[datetime]:
        if self.frequency == MONTH:
            # The last day of a month that is too short.
            at = pendulum.instance(self.start).add(months=number * self.interval)
            yield datetime(at.year, at.month, at.day, at.hour, at.minute, at.second)
            return
        day = self._first_day + timedelta(days=number * self.interval * (7 if self.frequency == WEEK else 1))
        days = self.days or ((self.start.weekday(),) if self.frequency == WEEK else (0,))
        times = self.times or ((self.start.hour, self.start.minute),)
        seconds = 0 if self.times else self.start.second
        for weekday in days:
            for hour, minute in times:
                of_week = day + timedelta(days=weekday)
                yield datetime(of_week.year, of_week.month, of_week.day, hour, minute, seconds)

    @property
    def _first_day(self) -> date:
        day = self.start.date()
        return day - timedelta(days=day.weekday()) if self.frequency == WEEK else day

    def _utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=pendulum.timezone(self.zone), fold=0).astimezone(timezone.utc)


def _plain(moment: datetime) -> datetime:
    """A moment in UTC by the standard library: pendulum's moments cannot be divided by its time spans."""
    at = moment.astimezone(timezone.utc)
    return datetime(
        at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=timezone.utc
    )
