"""A waiter tells by its own monotonic clock whether a holder is dead, and trusts no other."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.reuse import layout
from mlsteps.reuse.process import process_facts
from mlsteps.reuse.watch import Held, Watch
from reuse.doubles import StoreThatCalls, StoreWithOldAnswers, fingerprint

LEASE = 60.0
FAR = Held({"host": "far away"}, "far", fingerprint())
PATH = layout.beat(fingerprint(), "far")


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("mlsteps.reuse.watch.monotonic", clock)
    return clock


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_process_that_ended_is_dead_at_once(store: FolderStore) -> None:
    facts = process_facts()
    assert not Watch(store, LEASE).dead(Held(facts, "a", fingerprint()))
    assert Watch(store, LEASE).dead(Held({**facts, "started": 1}, "a", fingerprint()))


@pytest.mark.parametrize("first", [None, b"7"])
def test_who_gives_no_new_sign_for_a_lease_is_dead(
    store: FolderStore, clock: Clock, first: bytes | None
) -> None:
    if first:
        store.write(PATH, first)
    watch = Watch(store, LEASE)
    assert not watch.dead(FAR)
    clock.now += LEASE - 1
    assert not watch.dead(FAR)
    store.write(PATH, b"8")
    clock.now += 2
    assert not watch.dead(FAR)
    clock.now += LEASE - 1
    assert not watch.dead(FAR)
    clock.now += 1
    assert watch.dead(FAR)


def test_every_holder_has_a_lease_of_its_own(store: FolderStore, clock: Clock) -> None:
    watch = Watch(store, LEASE)
    assert not watch.dead(FAR)
    clock.now += LEASE - 1
    further = Held({}, "further", fingerprint())
    assert not watch.dead(further)
    clock.now += LEASE - 1
    assert not watch.dead(further)
    clock.now += 1
    assert watch.dead(further)


def test_one_watch_serves_many_fingerprints(store: FolderStore, clock: Clock) -> None:
    watch = Watch(store, LEASE)
    other = Held({}, "other", fingerprint(1))
    assert not watch.dead(FAR)
    clock.now += LEASE / 2
    assert not watch.dead(other)
    clock.now += LEASE / 2
    assert (watch.dead(FAR), watch.dead(other)) == (True, False)


def test_wall_clocks_do_not_matter(store: FolderStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter(range(10**9, 10**12, 10**7))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    monkeypatch.setattr(time, "time_ns", lambda: next(jumps) * 10**9)
    watch = Watch(store, LEASE)
    for number in range(5):
        store.write(PATH, str(number).encode())
        os.utime(store.local_path(PATH), (0, 0))
        assert not watch.dead(FAR)
        clock.now += LEASE
    assert watch.dead(FAR)


def test_time_without_an_answer_is_not_counted(tmp_path: Path, clock: Clock) -> None:
    store = StoreThatCalls(tmp_path)
    watch = Watch(store, LEASE)

    def down(verb: str, path: str) -> None:
        raise OSError("The connection was reset")

    assert not watch.dead(FAR)
    clock.now += LEASE / 2
    assert not watch.dead(FAR)
    store.before = down
    for _ in range(10):
        clock.now += LEASE
        assert not watch.dead(FAR)
    store.before = lambda verb, path: None
    assert not watch.dead(FAR)
    clock.now += LEASE / 2
    assert watch.dead(FAR)


def test_old_answers_keep_nobody_alive_for_ever(tmp_path: Path, clock: Clock) -> None:
    store = StoreWithOldAnswers(tmp_path)
    store.write(PATH, b"1")
    watch = Watch(store, LEASE)
    for _ in range(4):
        watch.dead(FAR)
    clock.now += LEASE
    assert watch.dead(FAR)


# Across processes


def test_a_later_process_goes_on_watching(store: FolderStore, clock: Clock) -> None:
    watch = Watch(store, LEASE)
    watch.dead(FAR)
    clock.now += LEASE / 2
    saved = json.dumps(watch.to_json())
    clock.now += LEASE / 2
    assert Watch.from_json(store, LEASE, json.loads(saved)).dead(FAR)


def test_after_another_boot_it_begins_anew(store: FolderStore, clock: Clock) -> None:
    watch = Watch(store, LEASE)
    watch.dead(FAR)
    saved = watch.to_json()
    clock.now += LEASE
    assert watch.dead(FAR)
    for other in ({**saved, "boot": "another"}, {**saved, "boot": ""}):
        assert not Watch.from_json(store, LEASE, other).dead(FAR)
    clock.now -= 2 * LEASE  # a clock that goes back is another one
    assert Watch.from_json(store, LEASE, saved).to_json()["observed"] == {}


def test_what_it_did_not_write_is_no_observation(store: FolderStore) -> None:
    saved = Watch(store, LEASE).to_json()
    for observed in ({"x": 1}, {"x": {}}, {"x": {"id": "a"}}, {"x": None}, None, [1], 1):
        restored = Watch.from_json(store, LEASE, {**saved, "observed": observed})
        assert restored.to_json()["observed"] == {}
    for other in (None, "x", [], {}):
        assert Watch.from_json(store, LEASE, other).to_json()["observed"] == {}
    wrong = {"x": {"id": "a", "beat": None, "unchanged": "1", "seen": None}}
    assert Watch.from_json(store, LEASE, {**saved, "observed": wrong}).to_json()["observed"] == {}
