"""One holder at a time, whoever dies, stops or cannot reach the store; and nothing is left behind."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException
from mlsteps.reuse import layout
from mlsteps.reuse.claim import Claim, Claims, Held, Watch
from mlsteps.reuse.process import process_facts
from reuse.doubles import (
    StoreThatAsksTwice,
    StoreThatCalls,
    StoreThatLosesWrites,
    StoreWithOldAnswers,
    StoreWithoutLuck,
    fingerprint,
)

HEAD = layout.claim(fingerprint())
LEASE = 60.0


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def claims(store: FolderStore) -> Claims:
    return Claims(store)


# The claims of a test, which end with it.
MADE: list[Claim] = []


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().release()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes a time pass for those who wait."""
    passed = [0.0]
    monkeypatch.setattr("mlsteps.reuse.watch.monotonic", lambda: time.monotonic() + passed[0])
    return lambda seconds: passed.append(passed.pop() + seconds)


def gone() -> dict[str, Any]:
    """The facts of a process that has been."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        facts = {**process_facts(), "pid": process.pid}
        process.wait()
    return facts


def put(store: FolderStore, claim_id: str, holder: dict[str, Any], after: str | None = None) -> None:
    """A claim as a process leaves it that was killed."""
    path = layout.successor(fingerprint(), after) if after else HEAD
    assert store.create(path, json.dumps({"version": 1, "id": claim_id, "holder": holder}).encode())


def take(claims: Claims, watch: Watch | None = None) -> bool:
    """Try once, and keep it in MADE."""
    claim = claims.try_acquire(fingerprint(), {}, watch)
    if isinstance(claim, Claim):
        MADE.append(claim)
    return isinstance(claim, Claim)


def acquire(claims: Claims, watch: Watch | None = None) -> Claim:
    assert take(claims, watch)
    return MADE[-1]


def held(claims: Claims, watch: Watch | None = None) -> Held:
    found = claims.try_acquire(fingerprint(), {}, watch)
    assert isinstance(found, Held)
    return found


def names(store: FolderStore) -> list[str]:
    return store.list_names(layout.CLAIMS)


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Holding


def test_one_holds_and_the_others_see_who(store: FolderStore, claims: Claims) -> None:
    claim = claims.try_acquire(fingerprint(), {"run_id": "r1"})
    assert isinstance(claim, Claim) and not claim.lost
    other = held(claims)
    assert (other.id, other.fingerprint) == (claim.id, fingerprint())
    assert other.holder == {"run_id": "r1", **process_facts()}
    claim.release()
    claim.release()
    assert not claim.lost
    acquire(claims).release()
    assert names(store) == []


def test_different_fingerprints_do_not_meet(store: FolderStore, claims: Claims) -> None:
    with acquire(claims):
        other = claims.try_acquire(fingerprint(1), {})
        assert isinstance(other, Claim)
        other.release()
        assert names(store) == [HEAD.rpartition("/")[2]]
    assert names(store) == []


def test_who_holds_it_now(store: FolderStore, claims: Claims) -> None:
    watch = claims.watch()
    assert claims.current(fingerprint(), watch) is None
    with acquire(claims) as claim:
        found = claims.current(fingerprint(), watch)
        assert found is not None and found.id == claim.id
    put(store, "dead", gone())
    assert claims.current(fingerprint(), watch) is None


def test_an_error_in_the_block_releases(store: FolderStore, claims: Claims) -> None:
    with pytest.raises(RuntimeError), acquire(claims):
        raise RuntimeError
    assert names(store) == []


def test_a_forgotten_claim_gives_no_sign_any_more(store: FolderStore) -> None:
    claim = acquire(Claims(store, lease=2, beat_every=0.01))
    path = layout.beat(fingerprint(), claim.id)
    until(lambda: store.stat(path) is not None)
    MADE.clear()
    del claim
    gc.collect()
    time.sleep(0.05)
    last = store.read(path)
    time.sleep(0.05)
    assert store.read(path) == last


def test_of_many_threads_one_gets_it(store: FolderStore, claims: Claims) -> None:
    got: list[Claim | Held] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        got.append(claims.try_acquire(fingerprint(), {}))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (claim,) = (item for item in got if isinstance(item, Claim))
    assert {item.id for item in got} == {claim.id}
    claim.release()
    assert names(store) == []


def test_the_sign_of_life_changes_and_goes_at_the_end(store: FolderStore) -> None:
    claim = acquire(Claims(store, lease=2, beat_every=0.02))
    path = layout.beat(fingerprint(), claim.id)
    until(lambda: store.stat(path) is not None)
    first = store.read(path)
    until(lambda: store.read(path) != first)
    assert not claim.lost
    claim.release()
    time.sleep(0.05)
    assert names(store) == []


def test_a_sign_of_life_has_to_come_often_enough(store: FolderStore) -> None:
    for beat_every in (0, -1, 20):
        with pytest.raises(UserErrorException, match="at most a quarter of lease"):
            Claims(store, lease=60, beat_every=beat_every)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_release_what_its_parent_holds(store: FolderStore, claims: Claims) -> None:
    with acquire(claims) as claim:
        child = os.fork()
        if child == 0:
            with claim:
                os._exit(0 if claim.lost and (claim.release() or names(store)) else 1)  # type: ignore[func-returns-value]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert held(claims).id == claim.id


def test_a_process_that_ended_is_dead_at_once(store: FolderStore, claims: Claims) -> None:
    put(store, "dead", gone())
    acquire(claims).release()
    assert names(store) == []


# Taking over


def test_who_gives_no_sign_for_a_lease_is_followed(
    store: FolderStore, claims: Claims, later: Callable[[float], None]
) -> None:
    put(store, "far", {"host": "far away"})
    watch = claims.watch()
    assert held(claims, watch).id == "far"
    later(LEASE - 1)
    assert held(claims, watch).id == "far"
    later(1)
    acquire(claims, watch).release()
    assert names(store) == []


def test_a_later_process_goes_on_watching(
    store: FolderStore, claims: Claims, later: Callable[[float], None]
) -> None:
    put(store, "far", {"host": "far away"})
    watch = claims.watch()
    held(claims, watch)
    saved = json.dumps(watch.to_json())
    later(LEASE)
    acquire(claims, claims.watch(json.loads(saved))).release()


def test_a_dead_successor_is_succeeded_in_turn(store: FolderStore, claims: Claims) -> None:
    dead = gone()
    put(store, "a", dead)
    put(store, "b", dead, after="a")
    put(store, "c", dead, after="b")
    for claim_id in "abc":
        store.write(layout.beat(fingerprint(), claim_id), b"7")
    claim = acquire(claims)
    assert store.stat(layout.successor(fingerprint(), "c")) is not None
    assert held(claims).id == claim.id
    claim.release()
    assert names(store) == []


def test_of_many_that_take_over_one_does(store: FolderStore, claims: Claims) -> None:
    put(store, "dead", gone())
    with acquire(claims) as claim:
        assert {held(claims).id for _ in range(5)} == {claim.id}
    assert names(store) == []


def test_a_taker_that_comes_too_late_withdraws(tmp_path: Path) -> None:
    """Between its look and its claim another one took over, finished and cleared away."""
    store = StoreThatCalls(tmp_path)
    quick, slow = Claims(FolderStore(tmp_path)), Claims(store)
    put(store, "dead", gone())

    def meanwhile(verb: str, path: str) -> None:
        if verb == "create":
            store.before = lambda verb, path: None
            acquire(quick).release()
            assert names(store) == []

    store.before = meanwhile
    claim = acquire(slow)
    assert names(store) == [HEAD.rpartition("/")[2]]
    claim.release()
    assert names(store) == []


def test_a_taker_that_comes_too_late_leaves_the_next_holder_alone(tmp_path: Path) -> None:
    store = StoreThatCalls(tmp_path)
    quick, slow = Claims(FolderStore(tmp_path)), Claims(store)
    put(store, "dead", gone())
    next_one: list[Claim] = []

    def meanwhile(verb: str, path: str) -> None:
        if verb == "create":
            store.before = lambda verb, path: None
            acquire(quick).release()
            next_one.append(acquire(quick))

    store.before = meanwhile
    assert held(slow).id == next_one[0].id
    assert names(store) == [HEAD.rpartition("/")[2]]
    next_one[0].release()


def test_what_a_process_left_that_was_killed_while_it_withdrew_goes_with_the_next(
    store: FolderStore, claims: Claims
) -> None:
    put(store, "late", gone(), after="cleared")
    store.write(layout.beat(fingerprint(), "late"), b"1")
    kept = layout.claim(fingerprint(1))
    store.write(kept, b"")
    acquire(claims).release()
    assert names(store) == [kept.rpartition("/")[2]]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"id": "../../x", "holder": {}}', b'{"id": 1, "holder": {}}']
)
def test_a_claim_that_cannot_be_read_is_watched_and_taken_over(
    store: FolderStore, claims: Claims, later: Callable[[float], None], data: bytes
) -> None:
    store.write(HEAD, data)
    watch = claims.watch()
    assert held(claims, watch).holder == {}
    later(LEASE)
    acquire(claims, watch).release()
    assert names(store) == []


def test_a_claim_of_a_newer_mlsteps_is_a_claim(store: FolderStore, claims: Claims) -> None:
    store.write(HEAD, json.dumps({"version": 99, "id": "n1", "holder": gone(), "more": 1}).encode())
    acquire(claims).release()
    assert names(store) == []


# Being taken for dead


@pytest.fixture
def taken(store: FolderStore, tmp_path: Path) -> Iterator[tuple[Claim, Claim, StoreThatCalls]]:
    """A holder that could not reach the store for too long, and who took over meanwhile."""
    bad = StoreThatCalls(tmp_path)

    def down(verb: str, path: str) -> None:
        raise OSError("The connection was reset")

    first = acquire(Claims(bad, lease=0.2, beat_every=0.02))
    bad.before = down
    until(lambda: first.lost)
    others = Claims(store, lease=0.2, beat_every=0.02)
    watch = others.watch()
    until(lambda: take(others, watch))
    bad.before = lambda verb, path: None
    second = MADE[-1]
    yield first, second, bad
    second.release()
    assert names(store) == []


def test_who_was_taken_for_dead_has_lost_its_claim(
    store: FolderStore, taken: tuple[Claim, Claim, StoreThatCalls]
) -> None:
    first, second, _ = taken
    before = names(store)
    first.release()
    assert first.lost
    assert set(before) - set(names(store)) <= {layout.beat(fingerprint(), first.id).rpartition("/")[2]}
    assert held(Claims(store)).id == second.id


def test_who_finds_a_successor_has_lost_its_claim(store: FolderStore) -> None:
    claims = Claims(store, lease=20, beat_every=0.02)
    claim = acquire(claims)
    put(store, "next", dict(process_facts()), after=claim.id)
    until(lambda: claim.lost)
    claim.release()
    assert len(names(store)) == 2
    assert held(claims).id == "next"


def test_a_successor_that_came_since_the_last_sign_is_found_at_the_release(
    store: FolderStore, claims: Claims
) -> None:
    claim = acquire(claims)
    put(store, "next", dict(process_facts()), after=claim.id)
    assert not claim.lost
    claim.release()
    assert claim.lost and held(claims).id == "next"


def test_who_was_stopped_for_half_a_lease_does_not_delete(
    store: FolderStore, claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = acquire(claims)
    monkeypatch.setattr("mlsteps.reuse.heartbeat.monotonic", lambda: time.monotonic() + LEASE / 2 + 1)
    claim.release()
    assert claim.lost and len(names(store)) == 1


def test_a_first_claim_of_another_one_is_not_deleted(store: FolderStore, claims: Claims) -> None:
    claim = acquire(claims)
    store.delete(HEAD)
    put(store, "other", dict(process_facts()))
    claim.release()
    assert claim.lost and held(claims).id == "other"


# Stores that behave badly


def test_who_is_told_that_its_own_claim_exists_has_it(tmp_path: Path) -> None:
    store = StoreThatAsksTwice(tmp_path)
    claims = Claims(store)
    with acquire(claims) as claim:
        assert held(claims).id == claim.id
    assert names(store) == []
    put(FolderStore(tmp_path), "dead", gone())
    acquire(claims).release()
    assert names(store) == []


def test_a_claim_whose_answer_is_an_error_is_taken_back(tmp_path: Path) -> None:
    class Store(FolderStore):
        def create(self, path: str, data: bytes) -> bool:
            super().create(path, data)
            raise OSError("The connection was reset")

    store = Store(tmp_path)
    with pytest.raises(OSError, match="reset"):
        Claims(store).try_acquire(fingerprint(), {})
    assert names(store) == []
    put(FolderStore(tmp_path), "dead", gone())
    with pytest.raises(OSError, match="reset"):
        Claims(store).try_acquire(fingerprint(), {})
    assert names(store) == [HEAD.rpartition("/")[2]]


def test_a_release_that_fails_is_told_and_leaves_a_claim_to_expire(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = StoreThatCalls(tmp_path)
    claim = acquire(Claims(store))

    def no_delete(verb: str, path: str) -> None:
        if verb == "delete":
            raise OSError("The connection was reset")

    store.before = no_delete
    claim.release()
    assert "left to expire" in caplog.text
    assert names(store) == [HEAD.rpartition("/")[2]]


def test_without_listings_a_release_still_clears_what_it_knows(tmp_path: Path) -> None:
    store = StoreThatCalls(tmp_path)

    def no_list(verb: str, path: str) -> None:
        if verb == "list":
            raise OSError("The connection was reset")

    store.before = no_list
    put(store, "dead", gone())
    store.write(layout.beat(fingerprint(), "dead"), b"1")
    acquire(Claims(store)).release()
    assert names(FolderStore(tmp_path)) == []


def test_with_old_answers_somebody_gets_it_in_the_end(tmp_path: Path) -> None:
    claims = Claims(StoreWithOldAnswers(tmp_path), lease=0.2, beat_every=0.02)
    for _ in range(3):
        watch = claims.watch()
        until(lambda watch=watch: take(claims, watch))  # type: ignore[misc]
        MADE.pop().release()


def test_signs_of_life_that_never_arrive_end_the_claim(tmp_path: Path) -> None:
    claims = Claims(StoreThatLosesWrites(tmp_path), lease=0.2, beat_every=0.02)
    first = acquire(claims)
    watch = claims.watch()
    until(lambda: take(claims, watch))
    assert first.lost or len(MADE) == 2


def test_with_errors_at_random_there_are_never_two(tmp_path: Path) -> None:
    store = StoreWithoutLuck(tmp_path, 0.15, seed=1)
    claims = Claims(store, lease=0.2, beat_every=0.02)
    watch = claims.watch()
    holding: list[Claim] = []
    taken = 0
    deadline = time.monotonic() + 20
    while taken < 5:
        assert time.monotonic() < deadline
        try:
            got = claims.try_acquire(fingerprint(), {}, watch)
        except OSError:
            continue
        if isinstance(got, Claim):
            assert all(claim.lost for claim in holding)
            holding, taken = [got], taken + 1
        elif holding:
            holding.pop().release()
    for claim in holding:
        claim.release()
    store.share = 0
    until(lambda: take(claims, watch))
