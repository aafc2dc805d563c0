"""The timetable of recurrences: which run is next, and its way through a DAG file and Airflow's database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsteps import Pipeline, ScheduleRecurrence, timetables
from mlsteps.compat import empty_dag_bag
from mlsteps.exceptions import UserErrorException
from mlsteps.timetables import RecurrenceTimetable
from steps.project import Project

NOW = datetime.now(timezone.utc).replace(microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetables, "_now", lambda: NOW)


DAG_FILE = """
from airflow.sdk import DAG, task
from mlsteps import ScheduleRecurrence
from mlsteps.timetables import RecurrenceTimetable

weekly = ScheduleRecurrence("Week", 2, "2026-01-01T08:00:00", "Europe/Berlin", [6], [30], ["Monday"])
with DAG("recurring", schedule=RecurrenceTimetable(weekly), catchup=False) as dag:
    @task
    def work(): ...
    work()
"""


def next_run(
    timetable: RecurrenceTimetable, last: datetime | None = None, catchup: bool = False, **restriction: Any
) -> datetime | None:
    interval = None if last is None else DataInterval.exact(pendulum.instance(last))
    allowed = TimeRestriction(restriction.get("earliest"), restriction.get("latest"), catchup)
    found = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=allowed)
    if found is None:
        return None
    assert found.data_interval is not None
    assert found.run_after == found.logical_date == found.data_interval.end
    return found.run_after


def hourly(start: datetime | None = None) -> ScheduleRecurrence:
    return ScheduleRecurrence("Hour", 1, None if start is None else start.strftime("%Y-%m-%dT%H:%M:%S"))


def test_a_schedule_without_a_start_runs_at_once_and_then_goes_on() -> None:
    created = NOW - timedelta(minutes=2)
    timetable = RecurrenceTimetable(hourly(), created, created)
    assert next_run(timetable) == created
    assert next_run(timetable, last=created) == created + HOUR


def test_a_start_in_the_past_is_counted_from_and_not_made_up_for() -> None:
    start = NOW - timedelta(days=3, minutes=30)
    timetable = RecurrenceTimetable(hourly(start), NOW, NOW)
    assert next_run(timetable) == NOW + timedelta(minutes=30)
    in_a_dag_file = RecurrenceTimetable(hourly(start))
    assert next_run(in_a_dag_file) == NOW + timedelta(minutes=30)


def test_what_passed_while_nobody_looked_is_made_up_for_by_one_run() -> None:
    start = NOW - timedelta(days=3, minutes=30)
    timetable = RecurrenceTimetable(hourly(start), start, start)
    assert next_run(timetable, last=NOW - timedelta(days=2, minutes=30)) == NOW - timedelta(minutes=30)
    assert next_run(timetable, last=NOW - timedelta(minutes=30)) == NOW + timedelta(minutes=30)
    assert next_run(timetable, catchup=True) == start
    assert next_run(timetable, last=start, catchup=True) == start + HOUR


def test_a_moment_that_has_just_come_is_not_lost_by_a_parse() -> None:
    start = NOW - timedelta(days=1, seconds=1)
    assert next_run(RecurrenceTimetable(hourly(start))) == NOW - timedelta(seconds=1)
    assert next_run(RecurrenceTimetable(hourly(start), start, start)) == NOW - timedelta(seconds=1)


def test_nothing_of_the_time_in_which_it_was_disabled() -> None:
    start = NOW - timedelta(days=3, minutes=30)
    enabled = RecurrenceTimetable(hourly(start), start, NOW - timedelta(minutes=10))
    assert next_run(enabled, last=NOW - timedelta(days=2, minutes=30)) == NOW + timedelta(minutes=30)


def test_a_backfill_of_a_schedule_may_be_of_dates_before_it_was_made() -> None:
    created = NOW - timedelta(minutes=2)
    begin = NOW - timedelta(days=30)
    wanted = {"earliest": begin, "latest": begin + 3 * HOUR, "catchup": True}
    timetable = RecurrenceTimetable(hourly(), created, created)
    found = next_run(timetable, **wanted)
    assert (
        found is not None
        and begin <= found < begin + HOUR
        and (found.minute, found.second) == (created.minute, created.second)
    )
    assert next_run(timetable, last=found, **wanted) == found + HOUR
    assert next_run(timetable, last=found + 2 * HOUR, **wanted) is None
    # What a DAG file says is meant for catching up, too.
    assert next_run(RecurrenceTimetable(hourly(NOW + HOUR)), **wanted) is None


def test_bounds_of_the_dag_hold() -> None:
    timetable = RecurrenceTimetable(hourly(NOW))
    soon = pendulum.instance(NOW + timedelta(minutes=90))
    assert next_run(timetable, earliest=soon) == NOW + 2 * HOUR
    assert next_run(timetable, last=NOW, latest=pendulum.instance(NOW + timedelta(minutes=59))) is None


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["Minute", "Hour", "Day", "Week", "Month"]),
    st.integers(1, 40),
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 1)),
)
def test_no_moment_is_left_out_or_run_twice(frequency: str, interval: int, start: datetime) -> None:
    start = start.replace(microsecond=0)
    timetable = RecurrenceTimetable(ScheduleRecurrence(frequency, interval, start, "America/New_York"))
    runs = [next_run(timetable, catchup=True)]
    for _ in range(4):
        runs.append(next_run(timetable, last=runs[-1], catchup=True))
    found = [run for run in runs if run is not None]
    assert found == sorted(set(found))
    for before, after in pairwise(found):
        assert timetable.rule.next_from(before + timedelta(seconds=1)) == after


@pytest.mark.smoke
def test_a_dag_of_a_file_keeps_it_in_the_database(tmp_path: Path, airflow_db: Path) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    from mlsteps.compat import sync_dag_bag

    (tmp_path / "recurring.py").write_text(DAG_FILE)
    bag = empty_dag_bag(str(tmp_path))
    assert bag.import_errors == {}
    with create_session() as session:
        session.merge(DagBundleModel(name="recurring"))
    sync_dag_bag(bag, "recurring")
    declared = bag.dags["recurring"].timetable
    with create_session() as session:
        found = session.get(DagModel, "recurring")
        kept = SerializedDagModel.get_dag("recurring") if hasattr(SerializedDagModel, "get_dag") else None
        described, summary, following = (
            found.timetable_description,
            found.timetable_summary,
            found.next_dagrun_create_after,
        )
    assert described == "Every 2 weeks on Monday at 06:30, from 2026-01-01 08:00, Europe/Berlin"
    assert summary == "Every 2 weeks"
    assert following == declared.rule.next_from(NOW)
    if kept is not None:
        assert kept.timetable == declared
    again = RecurrenceTimetable.deserialize(json.loads(json.dumps(declared.serialize())))
    assert again == declared
    assert hash(again) == hash(declared)
    assert again != RecurrenceTimetable(hourly())


def test_a_pipeline_of_a_dag_file_has_a_recurrence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, monkeypatch)
    pipeline = Pipeline(project.workspace, [project.step("only")])
    dag = pipeline.to_dag("recurring_pipeline", schedule=ScheduleRecurrence("Day", 1, time_of_day="06:00"))
    assert dag.timetable.description == "Every day at 06:00, from 2018-01-01 00:00, UTC"
    with pytest.raises(UserErrorException, match="'interval'"):
        pipeline.to_dag("wrong", schedule=ScheduleRecurrence("Day", 0))


def test_manual_runs_are_of_their_moment() -> None:
    at = pendulum.instance(NOW)
    assert RecurrenceTimetable(hourly()).infer_manual_data_interval(run_after=at) == DataInterval.exact(at)
