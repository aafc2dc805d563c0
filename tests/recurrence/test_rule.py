"""Moments of recurrences: against every minute that there is, and examples that can be looked up."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import UserErrorException
from mlsteps.recurrence import Rule, ScheduleRecurrence, TimeZone
from mlsteps.recurrence.rule import WEEK
from mlsteps.recurrence.schedule_recurrence import WEEK_DAYS
from mlsteps.recurrence.words import in_words

MINUTE = timedelta(minutes=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
]
# Days on which a clock is put forward or back in one of these, ends of months, and any others.
DAYS = [
    *(date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5)),
    *(date(2018, 11, 4), date(2018, 2, 18), date(2024, 2, 29), date(2025, 2, 28), date(2026, 12, 31)),
]


@st.composite
def recurrences(draw: st.DrawFn) -> ScheduleRecurrence:
    frequency = draw(st.sampled_from(["Minute", "Hour", "Day", "Week", "Month"]))
    day = draw(st.sampled_from(DAYS)) - timedelta(days=draw(st.integers(0, 70)))
    options: dict[str, Any] = {}
    if frequency in ("Day", "Week"):
        options["hours"] = draw(st.none() | st.lists(st.integers(0, 4), max_size=3))
        options["minutes"] = draw(st.none() | st.lists(st.sampled_from([0, 15, 30, 59]), max_size=3))
    if frequency == "Week":
        options["week_days"] = draw(st.none() | st.lists(st.sampled_from(WEEK_DAYS), max_size=4))
    return ScheduleRecurrence(
        frequency,
        draw(st.integers(1, 3) | st.integers(1, 500) if frequency == "Minute" else st.integers(1, 3)),
        datetime(day.year, day.month, day.day, draw(st.integers(0, 23)), draw(st.sampled_from([0, 1, 30]))),
        draw(st.sampled_from(ZONES)),
        **options,
    )


def stepped(rule: Rule, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The moments of a rule, by looking at every minute."""
    zone = ZoneInfo(rule.zone)
    began = rule.start.replace(tzinfo=zone).astimezone(timezone.utc)
    chosen = bool(rule.days or rule.times)
    forward, by = begin - timedelta(days=1), timedelta()
    moment = begin - timedelta(hours=3)
    before = moment.astimezone(zone).utcoffset()
    assert before is not None
    while moment < end:
        local = moment.astimezone(zone)
        offset = local.utcoffset()
        assert offset is not None
        if offset > before:
            forward, by = moment, offset - before
        before = offset
        clock = local.replace(tzinfo=None, fold=0)
        # What the clock shows now, unless it has shown it before; and what it left out when put forward.
        readings = [clock] if local.fold == 0 else []
        if moment - forward < by:
            readings.append(clock - by)
        if begin <= moment and (moment > began if chosen else moment >= began):
            if rule.frequency in ("Minute", "Hour"):
                step = rule.interval * (60 if rule.frequency == "Hour" else 1)
                due = ((moment - began) // MINUTE) % step == 0
            else:
                due = any(_on_calendar(rule, reading) for reading in readings)
            if due:
                yield moment
        moment += MINUTE


def _on_calendar(rule: Rule, at: datetime) -> bool:
    start = rule.start
    if (at.hour, at.minute) not in (rule.times or ((start.hour, start.minute),)):
        return False
    if rule.frequency == "Day":
        return (at.date() - start.date()).days % rule.interval == 0
    if rule.frequency == "Month":
        months = (at.year - start.year) * 12 + at.month - start.month
        last = calendar.monthrange(at.year, at.month)[1]
        return months % rule.interval == 0 and at.day == min(start.day, last)
    mondays = [day.date() - timedelta(days=day.weekday()) for day in (at, start)]
    weeks = (mondays[0] - mondays[1]).days // 7
    return weeks % rule.interval == 0 and at.weekday() in (rule.days or (start.weekday(),))


def moments(rule: Rule, begin: datetime, end: datetime) -> Iterator[datetime]:
    moment = rule.next_from(begin)
    while moment is not None and moment < end:
        yield moment
        moment = rule.next_from(moment + timedelta(seconds=1))


@settings(max_examples=50, deadline=None)
@given(recurrences(), st.sampled_from(DAYS), st.integers(0, 24))
def test_moments_are_those_that_stepping_finds(recurrence: ScheduleRecurrence, day: date, hour: int) -> None:
    rule = recurrence.rule()
    begin = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) - timedelta(hours=hour)
    end = begin + timedelta(days=1, hours=12)
    expected = list(stepped(rule, begin, end))
    assert list(moments(rule, begin, end)) == expected
    last = rule.last_until(end - MINUTE)
    assert last == expected[-1] if expected else last is None or last < begin


@settings(max_examples=200, deadline=None)
@given(recurrences(), st.datetimes(datetime(2017, 1, 1), datetime(2035, 1, 1)))
def test_next_and_last_agree(recurrence: ScheduleRecurrence, at: datetime) -> None:
    rule, moment = recurrence.rule(), at.replace(tzinfo=timezone.utc)
    following = rule.next_from(moment)
    assert following is not None and following >= moment
    assert rule.next_from(following) == following == rule.last_until(following)
    last = rule.last_until(moment)
    if last is not None:
        assert rule.next_from(last) == last
        assert last == moment or rule.next_from(last + timedelta(microseconds=1)) == following


@given(recurrences(), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_backwards_it_has_the_moments_of_an_earlier_start(
    recurrence: ScheduleRecurrence, periods: int
) -> None:
    rule = recurrence.rule(None)
    both_ways = replace(rule, backwards=True)
    began = rule.start.replace(tzinfo=ZoneInfo(rule.zone)).astimezone(timezone.utc)
    after = began + MINUTE
    assert both_ways.next_from(after) == rule.next_from(after)
    if rule.frequency in ("Day", "Week"):
        days = rule.interval * (7 if rule.frequency == WEEK else 1) * periods
        earlier = replace(rule, start=rule.start - timedelta(days=days))
        begin = began - timedelta(days=days // 2)
        assert list(moments(both_ways, begin, after)) == list(moments(earlier, begin, after))
    elif rule.frequency != "Month":
        span = rule.interval * timedelta(**{rule.frequency.lower() + "s": 1})
        assert both_ways.next_from(began - periods * span) == began - periods * span
        assert (
            both_ways.next_from(began - periods * span + MINUTE) == began - (periods - 1) * span
            or span == MINUTE
        )


def test_backwards_months_end_where_they_end() -> None:
    rule = replace(ScheduleRecurrence("Month", 1, "2026-03-31T06:00:00").rule(None), backwards=True)
    found = list(
        moments(rule, datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 4, 1, tzinfo=timezone.utc))
    )
    assert [f"{moment:%m-%d}" for moment in found] == ["01-31", "02-28", "03-31"]


def first(recurrence: ScheduleRecurrence, begin: datetime, count: int) -> list[str]:
    rule, found, at = recurrence.rule(), [], begin.replace(tzinfo=timezone.utc)
    for _ in range(count):
        moment = rule.next_from(at)
        assert moment is not None
        found.append(moment.astimezone(ZoneInfo(rule.zone)).strftime("%m-%d %H:%M"))
        at = moment + timedelta(seconds=1)
    return found


@pytest.mark.parametrize(
    ("recurrence", "begin", "expected"),
    [
        pytest.param(
            ScheduleRecurrence("Month", 1, "2026-01-31T06:00:00"),
            datetime(2026, 1, 1),
            ["01-31 06:00", "02-28 06:00", "03-31 06:00", "04-30 06:00"],
            id="the last day of a month that is too short, and no day is lost by it",
        ),
        pytest.param(
            ScheduleRecurrence("Day", 1, "2026-03-27T02:30:00", "Europe/Berlin"),
            datetime(2026, 3, 27),
            ["03-27 02:30", "03-28 02:30", "03-29 03:30", "03-30 02:30"],
            id="a clock that is put forward leaves the time out",
        ),
        pytest.param(
            ScheduleRecurrence("Day", 1, "2026-10-24T02:30:00", "Europe/Berlin"),
            datetime(2026, 10, 24),
            ["10-24 02:30", "10-25 02:30", "10-26 02:30"],
            id="a clock that is put back shows the time twice",
        ),
        pytest.param(
            ScheduleRecurrence("Hour", 1, "2026-10-25T01:30:00", "Europe/Berlin"),
            datetime(2026, 10, 24),
            ["10-25 01:30", "10-25 02:30", "10-25 02:30", "10-25 03:30"],
            id="hours pass",
        ),
        pytest.param(
            ScheduleRecurrence("Day", 1, "2026-03-28T00:00:00", "Europe/Berlin", hours=[2, 3], minutes=[30]),
            datetime(2026, 3, 29),
            ["03-29 03:30", "03-30 02:30", "03-30 03:30"],
            id="two times that fall together are one run",
        ),
        pytest.param(
            ScheduleRecurrence("Week", 2, "2026-01-07T08:00:00", week_days=["Monday", "Friday"]),
            datetime(2026, 1, 1),
            ["01-09 08:00", "01-19 08:00", "01-23 08:00", "02-02 08:00"],
            id="weeks begin on Monday",
        ),
        pytest.param(
            ScheduleRecurrence("Week", 1, "2026-01-05T08:00:00", week_days=["Monday"], time_of_day="08:00"),
            datetime(2026, 1, 1),
            ["01-12 08:00"],
            id="not at the start itself, where times are named",
        ),
        pytest.param(
            ScheduleRecurrence("Day", 1, time_of_day="03:00"),
            datetime(2026, 1, 1),
            ["01-01 03:00", "01-02 03:00"],
            id="without a start",
        ),
    ],
)
def test_examples(recurrence: ScheduleRecurrence, begin: datetime, expected: list[str]) -> None:
    assert first(recurrence, begin, len(expected)) == expected


def test_without_a_start_the_first_run_is_at_once() -> None:
    created = datetime(2026, 5, 1, 12, 34, 56, tzinfo=timezone.utc)
    rule = ScheduleRecurrence("Day", 1, time_zone=TimeZone.TokyoStandardTime, hours=[6]).rule(created)
    assert rule.next_from(created - timedelta(days=9)) == created == rule.last_until(created)
    following = rule.next_from(created + timedelta(seconds=1))
    assert following is not None
    assert following.isoformat() == "2026-05-01T21:00:00+00:00"
    plain = ScheduleRecurrence("Hour", 5).rule(created)
    assert plain.next_from(created + timedelta(seconds=1)) == created + timedelta(hours=5)


def test_there_is_an_end() -> None:
    rule = ScheduleRecurrence("Month", 120_000, "2026-01-01T00:00:00").rule()
    assert rule.next_from(datetime(2026, 1, 2, tzinfo=timezone.utc)) is None
    assert rule.last_until(datetime(2027, 1, 2, tzinfo=timezone.utc)) == datetime(
        2026, 1, 1, tzinfo=timezone.utc
    )
    assert rule.last_until(datetime(2025, 1, 2, tzinfo=timezone.utc)) is None


def test_every_time_zone_is_known() -> None:
    assert len(TimeZone) == 131
    for zone in TimeZone:
        assert ZoneInfo(ScheduleRecurrence("Day", 1, time_zone=zone).zone)
    assert ScheduleRecurrence("Day", 1, time_zone=TimeZone.WEuropeStandardTime).zone == "Europe/Berlin"
    assert ScheduleRecurrence("Day", 1, time_zone="Pacific Standard Time").zone == "America/Los_Angeles"
    assert ScheduleRecurrence("Day", 1).zone == "UTC"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"frequency": "Year"}, "'frequency': expected one of Minute, Hour, Day, Week, Month, got 'Year'"),
        ({"interval": 0}, "'interval': expected a whole number from 1 on"),
        ({"interval": True}, "'interval'"),
        ({"start_time": "tomorrow"}, "'start_time': expected a text as 2026"),
        (
            {"start_time": datetime(2026, 1, 1, tzinfo=timezone.utc)},
            "'start_time': expected a datetime without",
        ),
        (
            {"time_zone": "Mars"},
            "'time_zone': expected a TimeZone, or a name such as Europe/Berlin, got 'Mars'",
        ),
        ({"time_zone": 1}, "'time_zone'"),
        ({"hours": [24]}, "'hours': expected a list of whole numbers from 0 to 23"),
        ({"minutes": "5"}, "'minutes'"),
        ({"frequency": "Month", "hours": [2]}, "'hours': expected left out: it is for frequency Day or Week"),
        ({"week_days": ["Monday"]}, "'week_days': expected left out: it is for frequency Week"),
        ({"frequency": WEEK, "week_days": ["Mon"]}, "'week_days': expected a list of Monday"),
        ({"time_of_day": "6 am"}, "'time_of_day': expected a text as 06:30"),
        ({"time_of_day": "06:00", "hours": [6]}, "'time_of_day': expected left out where there are hours"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], said: str) -> None:
    recurrence = ScheduleRecurrence(**{"frequency": "Day", "interval": 1, **arguments})
    with pytest.raises(UserErrorException) as error:
        recurrence.validate()
    assert f"ScheduleRecurrence, argument {said}" in str(error.value)


def test_it_is_written_down_and_read() -> None:
    recurrence = ScheduleRecurrence(
        "Week", 2, datetime(2026, 1, 1, 8), TimeZone.WEuropeStandardTime, (6, 18), [0], ("Monday", "Friday")
    )
    assert ScheduleRecurrence.from_dict(recurrence.to_dict()) == recurrence
    assert recurrence != ScheduleRecurrence("Week", 2)
    assert in_words(recurrence.rule()) == (
        "Every 2 weeks on Monday and Friday at 06:00 and 18:00, from 2026-01-01 08:00, Europe/Berlin"
    )
    assert repr(ScheduleRecurrence("Day", 1)) == "ScheduleRecurrence(frequency='Day', interval=1)"
