"""The reuse store keeps results, and whatever goes wrong with one is a miss that is told."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException
from mlsteps.reuse import layout
from mlsteps.reuse.store import Lookup, ReuseStore, ReuseStoreError
from processes import at_once
from reuse.doubles import (
    StoreThatAsksTwice,
    StoreThatCalls,
    StoreThatLosesWrites,
    StoreWithOldAnswers,
    StoreWithoutLuck,
    entry,
    fingerprint,
)

PATH = f"mlsteps/reuse/00/{0:064x}.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def results(store: FolderStore) -> ReuseStore:
    return ReuseStore(store)


def refuse(verb: str, path: str) -> None:
    raise PermissionError(f"No {verb} of {path}")


def test_what_was_recorded_is_found(store: FolderStore, results: ReuseStore) -> None:
    assert results.read(fingerprint()) == Lookup(None, None)
    assert results.record(entry())
    assert results.read(fingerprint()) == Lookup(entry(), None)
    assert [info.path for info in store.list()] == [PATH]


def test_the_first_result_stays_unless_it_is_to_be_replaced(results: ReuseStore) -> None:
    assert results.record(entry(seconds=1))
    assert not results.record(entry(seconds=2))
    assert results.read(fingerprint()).entry == entry(seconds=1)
    assert results.record(entry(seconds=3), replace=True)
    assert results.read(fingerprint()).entry == entry(seconds=3)


def test_what_was_forgotten_is_a_miss(results: ReuseStore) -> None:
    results.record(entry())
    results.forget(fingerprint())
    results.forget(fingerprint())
    assert results.read(fingerprint()) == Lookup(None, None)


UNUSABLE = {
    "empty": b"",
    "half": entry().to_bytes()[:500],
    "foreign": b'{"version": 1, "name": "something else"}',
    "bytes": b"\xff\x00",
    "newer": json.dumps({**json.loads(entry().to_bytes()), "version": 99}).encode(),
    "of another fingerprint": entry(1).to_bytes(),
    "of another kind of fingerprint": entry(fingerprint=f"other:{0:064x}").to_bytes(),
}


@pytest.mark.parametrize("data", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_file_is_a_miss_that_is_told_and_written_anew(
    store: FolderStore, results: ReuseStore, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    store.write(PATH, data)
    found = results.read(fingerprint())
    assert found.entry is None
    assert PATH in (found.problem or "")
    assert [(record.levelno, PATH in record.message) for record in caplog.records] == [
        (logging.WARNING, True)
    ]
    assert list(results.fingerprints()) == [fingerprint()]
    assert results.record(entry())
    assert results.read(fingerprint()).entry == entry()


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("an error of some cloud's library")])
def test_a_store_that_fails_is_a_miss_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(verb: str, path: str) -> None:
        raise error

    results = ReuseStore(StoreThatCalls(tmp_path, fail))
    found = results.read(fingerprint())
    assert found.entry is None
    assert str(error) in (found.problem or "") and PATH in caplog.text
    for replace in (False, True):
        with pytest.raises(ReuseStoreError, match=str(error)):
            results.record(entry(), replace=replace)
    with pytest.raises(ReuseStoreError, match=str(error)):
        results.forget(fingerprint())
    with pytest.raises(ReuseStoreError, match=str(error)):
        list(results.fingerprints())


def test_a_good_entry_that_cannot_be_read_now_is_not_written_over(tmp_path: Path) -> None:
    store = StoreThatCalls(tmp_path)
    results = ReuseStore(store)
    results.record(entry(seconds=1))

    def unreadable(verb: str, path: str) -> None:
        if verb == "read":
            raise OSError("The connection was reset")

    store.before = unreadable
    with pytest.raises(ReuseStoreError):
        results.record(entry(seconds=2))
    store.before = lambda verb, path: None
    assert results.read(fingerprint()).entry == entry(seconds=1)


def test_what_is_no_json_is_an_error_for_the_caller_to_decide_about(results: ReuseStore) -> None:
    with pytest.raises(ReuseStoreError, match="'prepare' cannot be kept"):
        results.record(entry(values={"return_value": object()}))
    assert results.read(fingerprint()) == Lookup(None, None)


def test_an_answer_that_was_lost_or_is_old_spoils_nothing(tmp_path: Path) -> None:
    for number, store in enumerate((StoreThatAsksTwice(tmp_path), StoreWithOldAnswers(tmp_path))):
        results = ReuseStore(store)
        results.record(entry(number))
        results.read(fingerprint(number))
        assert results.read(fingerprint(number)).entry == entry(number)


def test_a_write_that_never_arrived_is_a_miss(tmp_path: Path) -> None:
    results = ReuseStore(StoreThatLosesWrites(tmp_path))
    results.record(entry(), replace=True)
    assert results.read(fingerprint()) == Lookup(None, None)


def test_with_errors_at_random_a_result_is_right_or_missing(tmp_path: Path) -> None:
    results = ReuseStore(StoreWithoutLuck(tmp_path, 0.4, seed=1))
    found = []
    for number in range(60):
        with contextlib.suppress(ReuseStoreError):
            results.record(entry(number), replace=number % 2 == 0)
        lookup = results.read(fingerprint(number))
        assert lookup.entry in (None, entry(number))
        found.append(lookup.entry is not None)
    assert 10 < sum(found) < 60


def test_fingerprints_are_listed_whatever_else_lies_there(store: FolderStore, results: ReuseStore) -> None:
    numbers = [0, 1, 0xAB << 248, 0xFF << 248]
    for number in numbers:
        results.record(entry(number))
    for path in ("x.json", "00/x.json", "00/deeper/x.json", "zz/x.json", f"01/{0:064x}.json"):
        store.write(f"{layout.ENTRIES}/{path}", b"")
    assert sorted(results.fingerprints()) == sorted(map(fingerprint, numbers))


def test_nothing_kept_is_an_empty_list(results: ReuseStore) -> None:
    assert list(results.fingerprints()) == []


@pytest.mark.parametrize("text", ["", "x", "sha256k:12", f"{0:064x}", f"a:{0:064X}g", f"../..:{0:064x}"])
def test_what_is_no_fingerprint_names_no_file(results: ReuseStore, text: str) -> None:
    with pytest.raises(UserErrorException, match="is no fingerprint"):
        results.read(text)


def test_of_many_that_record_at_once_one_does(tmp_path: Path) -> None:
    tests = Path(__file__).parent.parent
    imports = f"""
import sys; sys.path.insert(0, {str(tests)!r})
from reuse.doubles import entry, fingerprint
from mlsteps.data.stores import FolderStore
from mlsteps.reuse.store import ReuseStore
results = ReuseStore(FolderStore({str(tmp_path / "store")!r}))
"""
    code = "print(results.record(entry(seconds=number)), results.read(fingerprint()).entry.seconds)"
    printed = [line.split() for line in at_once(imports, code, tmp_path, count=4)]
    (winner,) = (number for number, (made, _) in enumerate(printed) if made == "True")
    assert {float(seconds) for _, seconds in printed} == {winner}
