from __future__ import annotations

import datetime
import multiprocessing
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsteps.run.journal import Journal, read_events, utc_now


def append_many(path: str, writer: int, count: int) -> None:
    journal = Journal(path)
    for number in range(count):
        # some events are larger than a pipe buffer or a page, where torn writes would show
        journal.append(
            {"event": "metric", "writer": writer, "number": number, "pad": "x" * (number % 7 * 3000)}
        )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_four_processes_do_not_interleave(tmp_path: Path, method: str) -> None:
    path = str(tmp_path / "journal.jsonl")
    start: Any = multiprocessing.get_context(method)
    workers = [start.Process(target=append_many, args=(path, writer, 500)) for writer in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = read_events(path)
    assert len(events) == 2000
    for writer in range(4):
        assert [e["number"] for e in events if e["writer"] == writer] == list(range(500))


def test_threads_do_not_interleave(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    threads = [threading.Thread(target=append_many, args=(path, writer, 100)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_events(path)) == 800


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=60))
def test_a_kill_costs_the_torn_event_and_no_other(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    journal = Journal(str(tmp_path_factory.mktemp("run") / "journal.jsonl"))
    journal.append({"event": "a"})
    journal.append({"event": "metric", "value": "0123456789012345678901234567890123456789"})
    whole = Path(journal.path).read_bytes()
    Path(journal.path).write_bytes(whole[:-cut])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        survivors = journal.events()
    assert survivors[0] == {"event": "a"}
    # a line that lacks nothing but its end is whole
    assert len(survivors) == (2 if cut == 1 else 1)

    journal.append({"event": "after"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [event["event"] for event in journal.events() if event["event"] != "metric"] == ["a", "after"]
    assert len(caught) == (0 if cut == 1 or whole[:-cut].endswith(b"\n") else 1)


def test_no_journal_yet(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.jsonl"))
    assert journal.events() == []
    journal.flush()
    journal.append({"event": "a"})
    journal.flush()
    assert journal.events() == [{"event": "a"}]


def test_lines_that_are_no_events_are_skipped_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event":"a"}\n[1]\n\n\xff\n{"no":"event"}\n{"event":"b"}\n{"eve')
    with pytest.warns(UserWarning) as caught:
        events = read_events(path)
    assert [event["event"] for event in events] == ["a", "b"]
    assert [str(warning.message).split(" of ")[0] for warning in caught] == [
        "Skipped line 2",
        "Skipped line 4",
        "Skipped line 5",
    ]


def test_a_full_disk_is_an_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is of Linux")
    with pytest.raises(OSError, match=r"[Nn]o space"):
        Journal("/dev/full").append({"event": "a"})


def test_the_time_is_utc_with_its_offset() -> None:
    then = datetime.datetime.fromisoformat(utc_now())
    assert then.utcoffset() == datetime.timedelta(0)
    assert abs(datetime.datetime.now(datetime.timezone.utc) - then) < datetime.timedelta(seconds=5)
