"""The trigger that looks at files: in a real folder, in blob storage, and after a death."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from mlsteps import Datastore, Workspace
from mlsteps.cli.azurite import Azurite
from mlsteps.data.file_states import file_states
from mlsteps.records.watches import Changes, begin_watch, note_seen, read_seen
from mlsteps.triggers import changed_files
from mlsteps.triggers.changed_files import ChangedFilesTrigger
from servers.azurite import azurite
from steps.project import Project

__all__ = ["azurite"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_files, "_SETTLING", 0.01)
    monkeypatch.setattr(changed_files, "_SOON", 0.01)


class Watched:
    """A folder of a datastore, and triggers that look at it."""

    def __init__(self, workspace: Workspace, datastore: str) -> None:
        self.workspace, self.datastore = workspace, datastore
        self.store = Datastore(workspace, datastore).store
        self.records = workspace.record_store()
        begin_watch(self.records, self.trigger().watch.id, file_states(self.store, "in"))

    def trigger(self) -> ChangedFilesTrigger:
        """One as a triggerer makes it."""
        made = ChangedFilesTrigger(self.workspace.locator, self.datastore, "in", 0.0005)
        _, settings = made.serialize()
        return ChangedFilesTrigger(**json.loads(json.dumps(settings)))

    def see_to(self, changes: Changes) -> None:
        note_seen(self.records, self.trigger().watch.id, [changes])


@pytest.fixture(params=["folder", "blobs"])
def watched(request: pytest.FixtureRequest, project: Project, monkeypatch: pytest.MonkeyPatch) -> Watched:
    if request.param == "folder":
        return Watched(project.workspace, "workspaceblobstore")
    server: Azurite = request.getfixturevalue("azurite")
    extra = {"connection_string": server.connection_string}
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "extra": extra}))
    (project.folder / "workspace.yaml").write_text(
        "datastores:\n  arrivals: {type: azure_blob, container: arrivals, conn_id: blobs, "
        "create_if_not_exists: true}\n"
    )
    return Watched(Workspace(folder=project.folder), "arrivals")


def names(changes: Changes) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in changes.changed)


def test_files_that_are_new_or_written_are_told_once(watched: Watched) -> None:
    store, trigger = watched.store, watched.trigger()
    store.write("in/before.txt", b"1")
    begin_watch(watched.records, trigger.watch.id, file_states(store, "in"))
    assert names(trigger.look()) == []
    store.write("in/new.txt", b"1")
    store.write("in/below/deeper.txt", b"1")
    store.write("in.txt", b"1")
    first = trigger.look()
    assert list(first.changed) == ["in/new.txt"]
    store.write("in/before.txt", b"2")
    assert names(trigger.look()) == [], "another was told while the one before is not seen to"
    watched.see_to(first)
    second = trigger.look()
    assert names(second) == ["before.txt"]
    watched.see_to(second)
    assert names(trigger.look()) == []
    store.delete("in/new.txt")
    store.write("in/new.txt", b"1")
    assert names(trigger.look()) == ["new.txt"]


def test_who_comes_after_a_dead_one_tells_what_nobody_saw_to(watched: Watched) -> None:
    watched.store.write("in/a.txt", b"1")
    told = watched.trigger().look()
    watched.store.write("in/b.txt", b"1")
    again = watched.trigger().look()
    assert (names(told), names(again)) == (["a.txt"], ["a.txt", "b.txt"])
    assert told.changed["in/a.txt"] == again.changed["in/a.txt"], "one change had two names"
    watched.see_to(told)
    assert names(watched.trigger().look()) == ["b.txt"]


def test_a_file_that_is_being_written_waits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(project.workspace, "workspaceblobstore")
    watched.store.write("in/a.txt", b"1")
    growing = watched.store.local_path("in/a.txt")
    assert growing is not None

    def meanwhile(seconds: float) -> None:
        growing.write_bytes(b"12")

    monkeypatch.setattr(changed_files.time, "sleep", meanwhile)
    trigger = watched.trigger()
    assert names(trigger.look()) == []
    monkeypatch.undo()
    assert names(watched.trigger().look()) == ["a.txt"]


def test_what_is_not_seen_to_for_long_is_told_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(project.workspace, "workspaceblobstore")
    watched.store.write("in/a.txt", b"1")
    trigger = watched.trigger()
    assert names(trigger.look()) == ["a.txt"]
    assert names(trigger.look()) == []
    monkeypatch.setattr(changed_files, "_PATIENCE", 0.0)
    assert names(trigger.look()) == ["a.txt"]


def test_very_many_changes_are_told_in_parts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_files, "_AT_ONCE", 3)
    watched, trigger, found = Watched(project.workspace, "workspaceblobstore"), None, []
    for number in range(8):
        watched.store.write(f"in/{number}", b"1")
    trigger = watched.trigger()
    for _ in range(4):
        changes = trigger.look()
        found.append(names(changes))
        watched.see_to(changes)
    assert found == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"], []]


def test_a_watch_that_was_forgotten_begins_anew(project: Project) -> None:
    workspace = project.workspace
    store = Datastore(workspace, "workspaceblobstore").store
    store.write("in/a.txt", b"1")
    trigger = ChangedFilesTrigger(workspace.locator, "workspaceblobstore", "in", 5)
    assert names(trigger.look()) == []
    assert list(read_seen(workspace.record_store(), trigger.watch.id) or {}) == ["in/a.txt"]


def test_events_come_for_ever_and_whatever_fails(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(project.workspace, "workspaceblobstore")
    trigger = watched.trigger()
    look, calls = trigger.look, []

    def sometimes() -> Changes:
        calls.append(1)
        if len(calls) == 2:
            raise ConnectionError("nobody answers")
        return look()

    monkeypatch.setattr(trigger, "look", sometimes)

    async def collect() -> list[Any]:
        events: list[Any] = []
        async for event in trigger.run():
            events.append(event.payload)
            watched.see_to(Changes(event.payload["changed"], tuple(event.payload["gone"])))
            if len(events) == 2:
                break
            watched.store.write("in/b.txt", b"1")
            watched.store.delete("in/a.txt")
        return events

    watched.store.write("in/a.txt", b"1")
    first, second = asyncio.run(asyncio.wait_for(collect(), 20))
    assert (list(first["changed"]), list(second["changed"])) == (["in/a.txt"], ["in/b.txt"])
    assert (second["gone"], second["watch"]) == (["in/a.txt"], trigger.watch.id)
    assert json.loads(json.dumps(first)) == first
    assert len(calls) >= 3


def test_states_of_files(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore").store
    assert file_states(store, "nowhere") == {}
    store.write("in/a", b"1")
    root = store.local_path("in")
    assert root is not None
    (root / "link").symlink_to(root / "a")
    (root / "dangling").symlink_to(root / "none")
    before = file_states(store, "in")
    assert sorted(before) == ["in/a", "in/link"]
    os.utime(root / "a", ns=(1, 1))
    assert file_states(store, "in")["in/a"] != before["in/a"]
    assert set(file_states(store, "")) == set()
