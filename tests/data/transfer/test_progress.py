"""Progress, its lines for a log, and the limit of bandwidth."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mlsteps.data.stores import FileInfo, FolderStore
from mlsteps.data.transfer import LogLines, Progress
from mlsteps.data.transfer.bandwidth import Bandwidth
from mlsteps.data.transfer.listings import Place, pairs
from mlsteps.data.transfer.log_lines import duration, line
from mlsteps.data.transfer.progress import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_line_tells_how_far_it_is() -> None:
    whole = Progress(12_300_000_000, 312, 40_100_000_000, 1204, 87_000_000.0, 320.0)
    assert line(whole) == "12.3 of 40.1 GB, 312 of 1,204 files, 87.0 MB/s, 5 min left"
    assert line(Progress(0, 0)) == "0 bytes, 0 files"
    assert line(Progress(999_600, 1, 2_000_000_000, 1)) == "1.0 MB of 2.0 GB, 1 of 1 file"
    assert [duration(seconds) for seconds in (0.4, 59.4, 59.6, 3599, 7800)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "2 h 10 min",
    ]


def test_lines_come_every_few_seconds_at_most() -> None:
    clock, said = Clock(), list[str]()
    lines = LogLines(said.append, every=10, clock=clock)
    for second in range(35):
        clock.now = float(second)
        lines(Progress(second, 0))
    assert said == ["10 bytes, 0 files", "20 bytes, 0 files", "30 bytes, 0 files"]


def test_the_rate_is_that_of_the_last_seconds_and_tells_what_is_left() -> None:
    clock, told = Clock(), list[Progress]()
    meter = Meter(told.append, clock)
    meter.expect(2, 4000)
    for _ in range(100):
        clock.now += 1
        meter.arrived(10)
    assert told[-1].rate == pytest.approx(10, rel=0.1)
    assert told[-1].seconds_left == pytest.approx(300, rel=0.1)
    for _ in range(20):
        clock.now += 1
        meter.arrived(100)
    assert told[-1].rate == pytest.approx(100, rel=0.1)
    meter.finished(1000)
    assert meter.now().bytes == 4000
    assert meter.now().rate == pytest.approx(100, rel=0.1)  # what was there already came at no rate
    assert meter.now().seconds_left == 0


def test_progress_is_told_a_few_times_a_second() -> None:
    clock, told = Clock(), list[Progress]()
    meter = Meter(told.append, clock)
    for _ in range(1000):
        clock.now += 0.01
        meter.arrived(1)
    assert 40 <= len(told) <= 52
    meter.close()
    assert told[-1].bytes == 1000


def test_bandwidth_is_shared_by_all_threads() -> None:
    clock = Clock()
    limit = Bandwidth(1000, lambda: None, clock, clock.sleep)
    for _ in range(30):
        limit.take(500)
    assert 13.9 <= clock.now <= 15.1
    threads = [threading.Thread(target=limit.take, args=(500,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now >= 17.9


def test_a_pause_is_not_followed_by_a_burst() -> None:
    clock = Clock()
    limit = Bandwidth(1000, lambda: None, clock, clock.sleep)
    clock.now = 1000
    for _ in range(10):
        limit.take(1000)
    assert clock.now >= 1008.9


def test_who_waits_for_bandwidth_can_be_stopped() -> None:
    clock = Clock()

    def check() -> None:
        if clock.now > 3:
            raise KeyboardInterrupt

    limit = Bandwidth(1, check, clock, clock.sleep)
    with pytest.raises(KeyboardInterrupt):
        limit.take(1000)
    assert clock.now < 5


def test_a_listing_that_is_not_sorted_makes_the_target_be_asked() -> None:
    class Asked(FolderStore):
        def stat(self, path: str) -> FileInfo | None:
            asked.append(path)
            return FileInfo(path, 1) if path in there else None

    asked: list[str] = []
    there = ["c", "a", "b", "e"]

    def listing(names: list[str]) -> Iterator[tuple[str, FileInfo]]:
        return ((name, FileInfo(name, 1)) for name in names)

    place = Place(Asked("/nowhere"), "", "directory")
    found = list(pairs(listing(["a", "b", "c", "d", "e"]), listing(there), place))
    both = {pair.path for pair in found if pair.source and pair.target}
    missing = {pair.path for pair in found if pair.source and not pair.target}
    assert "e" in both
    assert "d" in missing
    assert "b" in both | missing
    assert "d" in asked
