"""The record of a step."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.records import StepRecord, read_step
from mlsteps.records.step import read_tries
from mlsteps.records.store import RecordFormatError

Make = Callable[..., StepRecord]


def full(make_step: Make) -> StepRecord:
    return make_step(
        state="ran",
        reason="changed",
        max_tries=3,
        started="2026-01-31T12:00:00+00:00",
        ended="2026-01-31T12:00:01+00:00",
        seconds=1.0,
        phases={"script": 0.5},
        where={"host": "h", "pid": 1},
        command=("python", "a.py", "--ü"),
        parameters={"lr": 0.1},
        metrics={"loss": [1.0, math.inf], "table": {"a": [1, None]}},
        metric_events=({"name": "loss", "value": 1.0},),
        parent_metric_events=({"name": "auc", "value": 0.5},),
        outputs={"model": {"path": "x"}},
        files=("a.png",),
        models=("m:1",),
        tags={"$strange": "x"},
        exit_code=0,
    )


def test_it_comes_back_as_it_was(store: FolderStore, make_step: Make) -> None:
    record = full(make_step)
    assert read_step(store, record.folder) is None
    record.save(store)
    assert read_step(store, record.folder) == record


def test_a_metric_may_be_no_number(store: FolderStore, make_step: Make) -> None:
    record = make_step(metrics={"loss": math.nan})
    record.save(store)
    read = read_step(store, record.folder)
    assert read is not None and math.isnan(read.metrics["loss"])
    assert "NaN" not in store.read(f"{record.try_folder}/step.json").decode()


def test_a_file_name_that_is_not_utf8_can_be_recorded(store: FolderStore, make_step: Make) -> None:
    record = make_step(files=("caf\udce9.csv",))
    record.save(store)
    assert read_step(store, record.folder) == record
    store.read(f"{record.try_folder}/step.json").decode("utf-8")


def test_saving_replaces_the_earlier_record(store: FolderStore, make_step: Make) -> None:
    make_step(state="running").save(store)
    make_step(state="running").with_(state="failed", error="no").save(store)
    read = read_step(store, make_step().folder)
    assert read is not None and (read.state, read.error) == ("failed", "no")


def test_fields_of_a_later_release_are_passed_over(store: FolderStore, make_step: Make) -> None:
    record = make_step()
    record.save(store)
    path = f"{record.try_folder}/step.json"
    store.write(path, json.dumps({**json.loads(store.read(path)), "colour": "red"}).encode())
    assert read_step(store, record.folder) == record


@pytest.mark.parametrize("change", [{"name": None}, {"command": 3}])
def test_missing_or_malformed_fields_are_one_clear_error(
    store: FolderStore, make_step: Make, change: dict[str, Any]
) -> None:
    record = make_step()
    record.save(store)
    path = f"{record.try_folder}/step.json"
    value = {**json.loads(store.read(path)), **change}
    store.write(path, json.dumps({k: v for k, v in value.items() if v is not None}).encode())
    with pytest.raises(RecordFormatError, match=f"{path} is not a record of the kind"):
        read_step(store, record.folder)


def test_a_torn_record_is_one_clear_error(store: FolderStore, make_step: Make) -> None:
    record = full(make_step)
    record.save(store)
    path = f"{record.try_folder}/step.json"
    data = store.read(path)
    for length in range(1, len(data) - 2, 97):
        store.write(path, data[:length])
        with pytest.raises(RecordFormatError, match=path):
            read_step(store, record.folder)


def test_a_record_that_a_power_cut_emptied_is_none(store: FolderStore, make_step: Make) -> None:
    record = full(make_step)
    record.save(store, durable=False)
    store.write(f"{record.try_folder}/step.json", b"")
    assert read_step(store, record.folder) is None


@pytest.mark.parametrize(
    ("state", "tries", "finished"),
    [
        ("running", (1, 1), False),
        ("ran", (1, 3), True),
        ("reused", (1, 3), True),
        ("canceled", (1, 3), True),
        ("skipped", (1, 3), True),
        ("failed", (1, 3), False),
        ("failed", (3, 3), True),
    ],
)
def test_when_it_is_over(make_step: Make, state: str, tries: tuple[int, int], finished: bool) -> None:
    assert make_step(state=state, try_number=tries[0], max_tries=tries[1]).finished is finished


def test_its_folders(make_step: Make) -> None:
    record = make_step("fit", map_index=2, try_number=3)
    assert record.folder == "mlsteps/runs/train/r1/steps/fit=2"
    assert record.try_folder == "mlsteps/runs/train/r1/steps/fit=2/try-3"


def test_every_try_has_a_record_and_the_newest_counts(store: FolderStore, make_step: Make) -> None:
    tries = [make_step(try_number=number, state="failed", max_tries=12) for number in (2, 10, 9)]
    for record in tries:
        record.save(store)
    read = read_step(store, tries[0].folder)
    assert read is not None and read.try_number == 10
    tries[0].with_(error="late").save(store)
    assert [record.try_number for record in read_tries(store, tries[0].folder)] == [10, 9, 2]
