"""What has been seen of a folder: no change is lost and none is new for ever, whoever dies when."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlsteps.data.stores.folder import FolderStore
from mlsteps.records.watches import WATCHES, Changes, Watch, begin_watch, note_seen, read_seen

STATES = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2"]))


@given(STATES, STATES)
def test_changes_lead_from_one_state_to_the_other(seen: dict[str, str], states: dict[str, str]) -> None:
    changes = Changes.between(seen, states)
    assert changes.after(seen) == states
    assert Changes.between(states, states) == Changes({})
    assert set(changes.gone) == set(seen) - set(states)


class Folder(RuleBasedStateMachine):
    """A folder, somebody who looks and may die, and runs that see to what was told, in any order or never."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self.writes = 0
        self.seen: dict[str, str] = {}
        self.told: list[Changes] = []
        self.started: set[tuple[str, str]] = set()
        self.looked_at: set[tuple[str, str]] = set()

    @rule(name=st.sampled_from("abc"))
    def write(self, name: str) -> None:
        self.writes += 1
        self.files[name] = str(self.writes)

    @rule(name=st.sampled_from("abc"))
    def delete(self, name: str) -> None:
        self.files.pop(name, None)

    @rule()
    def look(self) -> None:
        """By a triggerer that knows nothing of what others told."""
        changes = Changes.between(self.seen, self.files)
        if changes.changed:
            self.told.append(changes)
            self.looked_at |= set(changes.changed.items())

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def see_to_it(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.told) - 1))
        changes = self.told[number]
        self.started |= set(changes.changed.items())  # a set: a run's id is its change's
        self.seen = changes.after(self.seen)
        if data.draw(st.booleans()):  # else the worker died before the end of the task, which is done again
            self.told.pop(number)

    @invariant()
    def what_counts_as_seen_was_started(self) -> None:
        assert set(self.seen.items()) <= self.started

    def teardown(self) -> None:
        for _ in range(2):
            while self.told:
                changes = self.told.pop()
                self.started |= set(changes.changed.items())
                self.seen = changes.after(self.seen)
            self.look()
        assert self.looked_at | set(self.files.items()) == self.started
        assert set(self.files.items()) <= set(self.seen.items())


TestFolder = Folder.TestCase
TestFolder.settings = settings(max_examples=60, deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_nothing_is_seen_of_what_nobody_looks_at(store: FolderStore) -> None:
    assert read_seen(store, "w") is None
    begin_watch(store, "w", {})
    assert read_seen(store, "w") == {}


def test_old_files_of_it_are_cleared_away(store: FolderStore) -> None:
    begin_watch(store, "w", {"a": "0"})
    for number in range(1, 30):
        note_seen(store, "w", [Changes({"a": str(number)})])
    note_seen(store, "w", [Changes({"a": "29"})])
    assert read_seen(store, "w") == {"a": "29"}
    assert len(store.list_names(f"{WATCHES}/w")) <= 6


def test_nobody_who_notes_at_the_same_time_is_lost(store: FolderStore) -> None:
    begin_watch(store, "w", {})
    threads = [
        threading.Thread(
            target=lambda n: [note_seen(store, "w", [Changes({f"{n}-{m}": "1"})]) for m in range(10)],
            args=(number,),
        )
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_seen(store, "w") or {}) == 80


def test_a_watch_is_known_by_what_it_looks_at() -> None:
    watches = [
        Watch("blobs", "in", 5),
        Watch("blobs", "in", 6),
        Watch("blobs", "out", 5),
        Watch("files", "in", 5),
    ]
    assert len({watch.id for watch in watches}) == 4
    assert Watch("blobs", "in", 5).id == Watch("blobs", "in", 5.0).id
