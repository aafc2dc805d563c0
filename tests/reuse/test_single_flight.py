"""A fingerprint is computed once, the others wait; and what goes wrong costs time, never a result."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore
from mlsteps.records.liveness import process_identity
from mlsteps.reuse import layout
from mlsteps.reuse import single_flight as module
from mlsteps.reuse.claim import Claim, Claims, Held
from mlsteps.reuse.entry import ReuseEntry
from mlsteps.reuse.single_flight import Cancelled, Found, Mine, TimedOut, single_flight
from mlsteps.reuse.store import ReuseStore
from reuse.doubles import StoreThatCalls, StoreWithOldAnswers, StoreWithoutLuck, entry, fingerprint
from reuse.racing import Plan, Report, race
from servers.azurite import azurite

__all__ = ["azurite"]


class Caller:
    """One that wants the result of ``fingerprint()``, and counts what it is asked."""

    def __init__(self, store: FolderStore, lease: float = 60.0, beat_every: float = 5.0) -> None:
        self.store = store
        self.claims = Claims(store, lease, beat_every)
        self.results: list[str | None] = []  # what the next lookups give; the last one stays
        self.lookups = 0
        self.waits: list[tuple[str, float]] = []

    def lookup(self) -> str | None:
        self.lookups += 1
        return (self.results.pop(0) if len(self.results) > 1 else self.results[0]) if self.results else None

    def waiting(self, held: Held, seconds: float) -> None:
        self.waits.append((held.id, seconds))

    def fly(
        self, timeout: float = 10.0, cancelled: Callable[[], bool] = lambda: False
    ) -> Found[str] | Mine | TimedOut | Cancelled:
        with single_flight(
            self.claims, fingerprint(), {"run_id": "r1"}, self.lookup, timeout, self.waiting, cancelled
        ) as turn:
            return turn


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def caller(store: FolderStore) -> Caller:
    return Caller(store)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts that follow each other closely."""
    monkeypatch.setattr(module, "_SHORTEST", 0.001)
    monkeypatch.setattr(module, "_LONGEST", 0.01)


def names(store: FolderStore) -> list[str]:
    return store.list_names(layout.CLAIMS)


def acquire(store: FolderStore) -> Claim:
    claim = Claims(store).try_acquire(fingerprint(), {"run_id": "other"})
    assert isinstance(claim, Claim)
    return claim


def test_the_only_one_computes_it_with_a_claim(store: FolderStore, caller: Caller) -> None:
    with single_flight(
        caller.claims, fingerprint(), {}, caller.lookup, timeout=10, waiting=caller.waiting
    ) as turn:
        assert isinstance(turn, Mine) and turn.claim is not None and not turn.claim.lost
        assert len(names(store)) == 1
    assert names(store) == []
    assert (caller.lookups, caller.waits) == (2, [])


def test_a_result_that_is_there_needs_no_claim(tmp_path: Path) -> None:
    verbs: list[str] = []
    caller = Caller(StoreThatCalls(tmp_path, lambda verb, path: verbs.append(verb)))
    caller.results = ["it"]
    assert caller.fly() == Found("it")
    assert verbs == []


def test_a_result_that_came_between_the_look_and_the_claim_is_found(
    store: FolderStore, caller: Caller
) -> None:
    caller.results = [None, "it"]
    assert caller.fly() == Found("it")
    assert names(store) == []


def test_who_waits_finds_what_the_other_made(store: FolderStore, caller: Caller) -> None:
    other = acquire(store)

    def finish() -> None:
        caller.results = ["it"]
        other.release()

    timer = threading.Timer(0.2, finish)
    timer.start()
    assert caller.fly() == Found("it")
    timer.join()
    ((claim_id, seconds),) = caller.waits
    assert claim_id == other.id and seconds < 0.2
    assert names(store) == []


def test_who_waits_computes_it_when_the_other_gives_up(store: FolderStore, caller: Caller) -> None:
    timer = threading.Timer(0.1, acquire(store).release)
    timer.start()
    turn = caller.fly()
    timer.join()
    assert isinstance(turn, Mine) and turn.claim is not None
    assert names(store) == []


def test_each_change_is_told_and_looked_at(store: FolderStore, caller: Caller) -> None:
    first = acquire(store)
    second: list[Claim] = []

    def change() -> None:
        first.release()
        second.append(acquire(store))

    # Within one pause of the caller, who therefore never sees it free.
    caller.waiting = lambda held, seconds: (caller.waits.append((held.id, seconds)), second or change())[0]  # type: ignore[method-assign]
    assert isinstance(caller.fly(timeout=0.3), TimedOut)
    assert [claim_id for claim_id, _ in caller.waits] == [first.id, second[0].id]
    assert caller.lookups == 3  # at once, after the change, in the end
    second[0].release()


def test_a_long_wait_is_told_again_and_looked_at(
    store: FolderStore, caller: Caller, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(module, "_REMIND_SECONDS", 0.05)
    with acquire(store):
        caller.results = [None, None, None, "it"]
        assert caller.fly() == Found("it")
    assert len(caller.waits) == 3
    assert caller.waits[1][1] >= 0.05 and caller.waits[2][1] >= 0.1


def test_after_the_timeout_it_is_computed_without_a_claim(store: FolderStore, caller: Caller) -> None:
    with acquire(store) as other:
        began = time.monotonic()
        turn = caller.fly(timeout=0.2)
        assert 0.2 <= time.monotonic() - began < 2
        assert isinstance(turn, TimedOut) and turn.holder["run_id"] == "other"
        assert not other.lost
    assert names(store) == []


def test_nobody_waits_without_time(store: FolderStore, caller: Caller) -> None:
    with acquire(store):
        assert isinstance(caller.fly(timeout=0), TimedOut)
    assert caller.waits == []
    assert isinstance(caller.fly(timeout=0), Mine)


def test_who_is_cancelled_does_nothing(store: FolderStore, caller: Caller) -> None:
    assert caller.fly(cancelled=lambda: True) == Cancelled()
    answers = iter([False, False, True])
    with acquire(store):
        assert caller.fly(cancelled=lambda: next(answers)) == Cancelled()
    assert names(store) == []


def test_who_is_cancelled_by_an_error_leaves_nothing(store: FolderStore, caller: Caller) -> None:
    def cancelled() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caller.fly(cancelled=cancelled)
    assert names(store) == []


def test_errors_of_the_block_and_of_the_lookup_release(store: FolderStore, caller: Caller) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        single_flight(caller.claims, fingerprint(), {}, caller.lookup, 10, caller.waiting),
    ):
        raise ZeroDivisionError
    assert names(store) == []

    def lookup() -> str | None:
        if names(store):
            raise ZeroDivisionError
        return None

    caller.lookup = lookup  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        caller.fly()
    assert names(store) == []


# Stores that behave badly


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("an error of some cloud's library")])
def test_without_a_store_everybody_computes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, quick: None, error: Exception
) -> None:
    def down(verb: str, path: str) -> None:
        raise error

    assert Caller(StoreThatCalls(tmp_path, down)).fly() == Mine(None)
    assert str(error) in caplog.text and caplog.records[-1].levelname == "WARNING"


def test_a_short_trouble_is_waited_out(tmp_path: Path, quick: None) -> None:
    left = iter(range(3))

    def trouble(verb: str, path: str) -> None:
        if next(left, None) is not None:
            raise OSError("The connection was reset")

    turn = Caller(StoreThatCalls(tmp_path, trouble)).fly()
    assert isinstance(turn, Mine) and turn.claim is not None


def test_trouble_now_and_then_does_not_end_the_wait(tmp_path: Path, quick: None) -> None:
    reads = iter(range(10**6))

    def trouble(verb: str, path: str) -> None:
        if next(reads) % 7 == 0:
            raise OSError("The connection was reset")

    with acquire(FolderStore(tmp_path)):
        turn = Caller(StoreThatCalls(tmp_path, trouble)).fly(timeout=0.3)
    assert isinstance(turn, TimedOut)
    assert next(reads) > 60


@pytest.mark.parametrize("kind", [StoreWithoutLuck, StoreWithOldAnswers])
def test_with_a_bad_store_all_come_to_the_same_result(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, kind: type[FolderStore]
) -> None:
    jumps = iter(range(10**9, 10**12, 10**5))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    got: list[ReuseEntry] = []

    def fly(seed: int) -> None:
        store = kind(tmp_path, share=0.2, seed=1)  # type: ignore[call-arg]
        results = ReuseStore(store)
        with single_flight(
            Claims(store, lease=0.4, beat_every=0.05),
            fingerprint(),
            {},
            lambda: results.read(fingerprint()).entry,
            timeout=5,
            waiting=lambda held, seconds: None,
        ) as turn:
            if isinstance(turn, Found):
                got.append(turn.value)
            else:
                time.sleep(0.01)
                ReuseStore(FolderStore(tmp_path)).record(entry())
                got.append(entry())

    threads = [threading.Thread(target=fly, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert got == [entry()] * 8


# Many processes


def completed(report: Report) -> dict[str, list[int]]:
    """Who computed each result to the end, but for those who were killed before they recorded it.

    Nor counted is who knew by then that others may think it dead.
    """
    recorded = {event["racer"] for event in report.told("recorded")}
    done = defaultdict(list)
    for event in report.told("completed"):
        racer = event["racer"]
        if not event["lost"] and (racer not in report.killed or racer in recorded):
            done[event["fingerprint"]].append(racer)
    return done


def check(plan: Plan, report: Report) -> None:
    assert not report.hung
    assert report.failed == {}
    assert (report.told("damaged"), report.told("wrong")) == ([], [])
    assert {event["what"] for event in report.events} <= {"began", "completed", "recorded", "Found", "ended"}
    assert {event["racer"] for event in report.told("ended")} | set(report.killed) == set(range(plan.starts))
    twice = {name: racers for name, racers in completed(report).items() if len(racers) > 1}
    assert twice == {}
    # A result is missing only where nobody was left to make it.
    ended = {event["fingerprint"] for event in report.told("ended")}
    assert not ended & set(report.missing)
    assert set(report.left) <= set(report.killed)
    assert report.left_at_last == []


@pytest.mark.slow
@pytest.mark.skipif(not process_identity()["processes"], reason="this machine cannot look processes up")
def test_many_race_on_one_machine_and_are_killed(tmp_path: Path) -> None:
    plan = Plan(
        folder=str(tmp_path),
        starts=1000,
        contenders=10,
        at_once=12,
        killed=0.75,
        killed_within=0.03,
        lease=120.0,  # the race is over long before: the dead are found by their processes
        beat_every=0.05,
        one_machine=True,
        limit=60.0,
        seed=1,
    )
    report = race(plan)
    check(plan, report)
    began = {event["racer"] for event in report.told("began")}
    assert len(began & set(report.killed)) > 10, "hardly anybody was killed while the others waited"
    assert len(report.told("Found")) > 50


@pytest.mark.slow
def test_many_race_on_machines_of_their_own_and_are_killed(tmp_path: Path) -> None:
    plan = Plan(
        folder=str(tmp_path),
        starts=200,
        contenders=10,
        at_once=8,
        killed=0.5,
        killed_within=0.05,
        lease=1.0,
        beat_every=0.1,
        one_machine=False,
        limit=40.0,
        seed=1,
    )
    report = race(plan)
    check(plan, report)
    began = {event["racer"] for event in report.told("began")}
    assert began & set(report.killed)


@pytest.mark.slow
def test_many_race_on_blob_storage_and_are_killed(tmp_path: Path, azurite: Azurite) -> None:
    plan = Plan(
        folder=str(tmp_path),
        starts=200,
        contenders=10,
        at_once=8,
        killed=0.5,
        killed_within=0.4,
        lease=120.0,
        beat_every=0.5,
        one_machine=True,
        limit=120.0,
        seed=1,
        blobs={"connection_string": azurite.connection_string, "container": "race"},
    )
    report = race(plan)
    check(plan, report)
    began = {event["racer"] for event in report.told("began")}
    assert began & set(report.killed)
    assert report.told("Found")
