"""Notes of what MLflow has not got yet."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.tracking import unsent
from mlsteps.tracking.unsent import FOLDER, noted, taken


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_what_failed_is_taken_once_and_what_was_sent_never(store: FolderStore) -> None:
    failed, sent = noted(store, "a", ["x", "y"]), noted(store, "b", ["z"])
    assert list(taken(store)) == []  # both are on their way
    failed.failed()
    sent.done()
    (again,) = taken(store)
    assert (again.folders, again.model) == (("x", "y"), "")
    assert list(taken(store)) == []
    again.failed()
    (once_more,) = taken(store)
    once_more.done()
    assert store.list_names(FOLDER) == []


def test_what_is_refused_again_and_again_is_given_up(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    noted(store, "a", ["x"]).failed()
    for _ in range(4):
        (note,) = taken(store)
        note.failed()
    assert list(taken(store)) == [] and "not sent again: a" in caplog.text
    assert store.list_names(FOLDER) == []


def test_of_two_who_want_the_same_one_gets_it(store: FolderStore) -> None:
    noted(store, "a", model="m:1").failed()
    first, second = taken(store), taken(store)
    (note,) = first
    assert note.model == "m:1" and list(second) == []


def test_what_somebody_was_killed_over_is_taken_after_a_while(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted(store, "a", ["x"])
    later = datetime.now(timezone.utc) + timedelta(minutes=16)
    monkeypatch.setattr(unsent, "utc_now", later.isoformat)
    (note,) = taken(store)
    assert note.folders == ("x",)
