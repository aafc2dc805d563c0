"""The record of a run, and what its steps make of it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.records import (
    RunRecord,
    StepRecord,
    cancel_reason,
    cancel_run,
    list_runs,
    parent_metric_events,
    read_run,
    read_steps,
    run_state,
)
from mlsteps.records.store import RecordFormatError

MakeStep = Callable[..., StepRecord]
MakeRun = Callable[..., RunRecord]


def test_it_comes_back_as_it_was(store: FolderStore, make_run: MakeRun) -> None:
    run = make_run(
        "prepare",
        "fit",
        description="d",
        parameters={"lr": 0.1, "n": None},
        tags={"a": "b"},
        trigger="manual",
        software={"python": "3.11"},
    )
    assert read_run(store, "train", "r1") is None
    run.create(store)
    assert read_run(store, "train", "r1") == run


def test_the_first_step_writes_it(store: FolderStore, make_run: MakeRun) -> None:
    make_run(trigger="manual").create(store)
    make_run(trigger="scheduled").create(store)
    read = read_run(store, "train", "r1")
    assert read is not None and read.trigger == "manual"


def test_its_end_is_written_over_it(store: FolderStore, make_run: MakeRun) -> None:
    run = make_run("prepare")
    run.create(store)
    finished = run.finish(store, "failed", "2026-02-01")
    assert (finished.state, finished.ended, finished.steps) == ("failed", "2026-02-01", run.steps)
    assert read_run(store, "train", "r1") == finished


def test_a_malformed_record_is_one_clear_error(store: FolderStore, make_run: MakeRun) -> None:
    path = f"{make_run().folder}/run.json"
    for data in (b'{"version": 1}', b'{"version": 1, "steps": [{}]}', b'{"version": 1, "steps": 3}'):
        store.write(path, data)
        with pytest.raises(RecordFormatError, match=f"{path} is not a record of the kind"):
            read_run(store, "train", "r1")


def test_many_runs_are_listed_newest_first(store: FolderStore, make_run: MakeRun) -> None:
    created = [f"2026-01-{1 + i * 7 % 28:02}T12:00:{i % 60:02}.5+00:00" for i in range(120)]
    for i, when in enumerate(created):
        make_run(dag_id=f"dag {i % 3}", run_id=f"run:{i}", created=when).create(store)
    runs = list_runs(store)
    assert [run.created for run in runs] == sorted(created, reverse=True)
    of_one = list_runs(store, "dag 1")
    assert {run.dag_id for run in of_one} == {"dag 1"} and len(of_one) == 40
    assert list_runs(store, "none") == []


def test_a_list_leaves_out_what_cannot_be_read_and_says_so(
    store: FolderStore, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    make_run().create(store)
    store.write("mlsteps/runs/train/newer/run.json", b'{"version": 99}')
    store.write("mlsteps/runs/train/without/steps/x/step.json", b"{}")
    with caplog.at_level(logging.WARNING):
        assert [run.run_id for run in list_runs(store)] == ["r1"]
    assert len(caplog.messages) == 1
    assert "mlsteps/runs/train/newer/run.json has format 99" in caplog.messages[0]


def test_steps_are_in_the_order_they_started(
    store: FolderStore, make_run: MakeRun, make_step: MakeStep
) -> None:
    run = make_run("a", "b", "c")
    run.create(store)
    for task_id, started in (("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026-01-01")):
        make_step(task_id, started=started).save(store)
    make_step("other", run_id="r2").save(store)
    assert [step.task_id for step in read_steps(store, run)] == ["c", "a", "b"]


STATES = ("none", "running", "ran", "reused", "skipped", "canceled", "failed", "retry")


@pytest.mark.parametrize("canceled", [False, True])
def test_the_state_of_a_run_for_all_states_of_its_steps(
    make_run: MakeRun, make_step: MakeStep, canceled: bool
) -> None:
    run = make_run("a", "b", "c")
    for states in itertools.product(STATES, repeat=3):
        steps = [
            make_step(
                task_id, "failed" if state == "retry" else state, max_tries=2 if state == "retry" else 1
            )
            for task_id, state in zip("abc", states, strict=True)
            if state != "none"
        ]
        open_steps = {"none", "retry"} & set(states)
        if "running" in states:
            expected = "running"
        elif "failed" in states:
            expected = "failed"
        elif canceled and (open_steps or "canceled" in states):
            expected = "canceled"
        else:
            expected = "running" if open_steps else "success"
        assert run_state(run, steps, canceled) == expected, states


def test_a_state_that_was_written_down_stands(make_run: MakeRun, make_step: MakeStep) -> None:
    assert run_state(make_run("a", state="success"), [make_step("a", "failed")], True) == "success"


def test_cancelling(store: FolderStore, make_run: MakeRun) -> None:
    make_run().create(store)
    assert cancel_reason(store, "train", "r1") is None
    cancel_run(store, "train", "r1", "by hand")
    cancel_run(store, "train", "r1", "again")
    assert cancel_reason(store, "train", "r1") == "by hand"
    assert cancel_reason(store, "train", "r2") is None
    assert [run.run_id for run in list_runs(store)] == ["r1"]


def test_what_steps_logged_on_the_run_is_in_the_order_of_time(make_step: MakeStep) -> None:
    steps = [
        make_step("a", parent_metric_events=({"time": "1", "n": 1}, {"time": "4", "n": 4})),
        make_step("b", parent_metric_events=({"time": "2", "n": 2}, {"time": "3", "n": 3})),
    ]
    assert [event["n"] for event in parent_metric_events(steps)] == [1, 2, 3, 4]
