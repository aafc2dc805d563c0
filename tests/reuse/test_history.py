"""The last fingerprints of a step are remembered; trouble with them only costs an explanation."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException
from mlsteps.reuse.history import LENGTH, History
from reuse.doubles import StoreThatCalls, StoreThatLosesWrites, StoreWithoutLuck, fingerprint

PATH = "mlsteps/reuse-history/train/prepare.json"


def remember(history: History, *numbers: int) -> None:
    for number in numbers:
        history.remember("train", "prepare", fingerprint(number))


def recent(history: History) -> list[int]:
    return [int(text.partition(":")[2], 16) for text in history.recent("train", "prepare")]


def test_the_newest_comes_first_and_none_twice(tmp_path: Path) -> None:
    history = History(FolderStore(tmp_path))
    assert recent(history) == []
    remember(history, 1, 2, 2, 3, 1)
    assert recent(history) == [1, 3, 2]


def test_the_oldest_are_dropped(tmp_path: Path) -> None:
    history = History(FolderStore(tmp_path))
    remember(history, *range(20))
    assert recent(history) == list(range(19, 19 - LENGTH, -1))


def test_steps_do_not_mix(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    history = History(store)
    steps = [("a", "b"), ("a", "c"), ("a/b", "c"), ("a", "b/c"), ("../..", "x")]
    for number, (dag_id, task_id) in enumerate(steps):
        history.remember(dag_id, task_id, fingerprint(number))
    for number, (dag_id, task_id) in enumerate(steps):
        assert history.recent(dag_id, task_id) == (fingerprint(number),)
    assert {info.path.count("/") for info in store.list()} == {3}


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    verbs: list[str] = []
    history = History(StoreThatCalls(tmp_path, lambda verb, path: verbs.append(verb)))
    remember(history, 1, 1, 1)
    assert verbs.count("write") == 1


@pytest.mark.parametrize(
    "data", [b"", b'{"version": 1, "finger', b"[]", b'{"version": 1}', b'{"version": 9, "fingerprints": []}']
)
def test_an_unusable_file_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    store = FolderStore(tmp_path)
    store.write(PATH, data)
    history = History(store)
    assert recent(history) == []
    assert PATH in caplog.text
    remember(history, 1)
    assert recent(history) == [1]


def test_what_is_no_fingerprint_is_left_out(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write(PATH, f'{{"version": 1, "fingerprints": ["../x", 1, null, "{fingerprint(3)}"]}}'.encode())
    history = History(store)
    assert recent(history) == [3]
    with pytest.raises(UserErrorException):
        history.remember("train", "prepare", "../x")


def test_errors_are_logged_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(StoreWithoutLuck(tmp_path, 1.0, seed=1))
    remember(history, 1)
    assert recent(history) == []
    assert caplog.text.count(PATH) == 2


def test_a_history_that_cannot_be_read_now_is_not_written_over(tmp_path: Path) -> None:
    store = StoreThatCalls(tmp_path)
    history = History(store)
    remember(history, 1, 2)

    def unreadable(verb: str, path: str) -> None:
        if verb == "read":
            raise OSError("The connection was reset")

    store.before = unreadable
    remember(history, 3)
    store.before = lambda verb, path: None
    assert recent(history) == [2, 1]


def test_a_write_that_never_arrived_is_nothing_remembered(tmp_path: Path) -> None:
    history = History(StoreThatLosesWrites(tmp_path))
    remember(history, 1)
    assert recent(history) == []
