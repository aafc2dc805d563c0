"""Claims of processes that have ended go; one whose holder may live stays."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

from mlsteps.data.stores import FolderStore
from mlsteps.records import layout as records_layout
from mlsteps.reuse import layout
from mlsteps.reuse.claim import Claim, Claims

from .world import World, fingerprint


def die_with_a_claim(root: Path, number: int) -> None:
    claim = Claims(FolderStore(root)).try_acquire(fingerprint(number), {"task_id": "prepare"})
    assert isinstance(claim, Claim)
    os._exit(0)


def test_only_claims_of_processes_that_have_ended_go(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=die_with_a_claim, args=(tmp_path, 1))
    child.start()
    child.join()
    elsewhere = {"id": "a" * 32, "holder": {"host": "far", "pid": 1, "processes": "other"}}
    store.write(layout.claim(fingerprint(2)), json.dumps(elsewhere).encode())
    store.write(layout.claim(fingerprint(3)), b"unreadable")
    store.write(layout.beat(fingerprint(4), "b" * 32), b"7")
    store.write(f"{layout.CLAIMS}/notes.txt", b"mine")
    world = World(store)
    with Claims(store).try_acquire(fingerprint(5), {}) as mine:  # type: ignore[union-attr]
        told = world.clean(dry_run=True).deleted["claims"]
        done = world.clean().deleted["claims"]
        assert not mine.lost
        assert store.stat(layout.claim(fingerprint(5)))
    assert told == done
    assert (done.number, done.files) == (2, 2)
    assert store.list_names(layout.CLAIMS) == sorted([f"{2:064x}.json", f"{3:064x}.json", "notes.txt"])
    assert not store.list_names(records_layout.RUNS)
