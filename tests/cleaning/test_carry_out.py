"""Whoever is at work meanwhile, and whenever it ends: nothing is left that is wrong."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.cleaning.carry_out import CleaningError
from mlsteps.data.stores import FolderStore
from mlsteps.records import cancel_run, layout, list_runs, read_steps
from mlsteps.reuse.store import ReuseStore

from .memory import MemoryStore
from .world import World, entry_path, fingerprint, snapshot

# Beside running pipelines


def once(world: World, verb: str, path: str, act: Callable[[], object]) -> None:
    """Have somebody else act right before the first call of a kind."""
    waiting = [act]

    def before(found: str, where: str) -> None:
        if waiting and (found, where) == (verb, path):
            waiting.pop()()

    world.memory.before = before


def test_an_entry_is_put_back_when_a_run_appears_between_the_scans(world: World) -> None:
    world.ran(world.run("r1", 90), number=1, code="old")
    world.run("r2", 1)

    def act() -> None:
        world.running(world.run("r3", 0), "prepare", 1)
        assert ReuseStore(world.store).read(fingerprint(1)).entry is not None

    before = world.paths()
    once(world, "delete", entry_path(1), act)
    report = world.clean()
    assert report.total.number == 0
    assert [run.run_id for run in report.active] == ["r3"]
    assert world.paths() > before


def test_a_run_that_appears_and_ends_between_the_scans_keeps_what_it_was_given(world: World) -> None:
    world.ran(world.run("r1", 90), number=1, code="old")
    world.ran(world.run("r2", 80), number=2, code="older")
    world.run("r3", 1)

    def act() -> None:
        world.reused(world.run("r4", 0), "prepare", 1)

    once(world, "delete", entry_path(1), act)
    assert world.gone() == {"runs": 1, "outputs": 1, "entries": 1, "snapshots": 1, "listings": 1}
    assert world.has(entry_path(1)) and world.has("azureml/train.r1.prepare.1") and world.has(snapshot("old"))


def test_an_entry_that_was_written_anew_meanwhile_stays(world: World) -> None:
    world.ran(world.run("r1", 90), number=1)
    world.run("r2", 1)

    def act() -> None:
        world.ran(world.run("r3", 0), number=1, again=True)

    once(world, "list_names", layout.RUNS, act)
    world.clean()
    entry = ReuseStore(world.store).read(fingerprint(1)).entry
    assert entry is not None and entry.origin.run_id == "r3"
    assert world.has("azureml/train.r3.prepare.1")


def test_a_running_step_keeps_a_result_that_another_gc_has_just_taken_away(world: World) -> None:
    world.ran(world.run("r1", 90), number=1)
    world.running(world.run("r2", 0), "prepare", 1)
    ReuseStore(world.store).forget(fingerprint(1))
    assert world.gone() == {}


def test_an_old_run_that_is_begun_again_meanwhile_stays(world: World) -> None:
    old = world.run("r1", 90)
    world.ran(old)
    world.run("r2", 1)

    def act() -> None:
        world.running(old, "prepare", try_number=2)

    once(world, "delete", snapshot(), act)
    report = world.clean()
    assert report.deleted["runs"].number == report.deleted["outputs"].number == 0
    assert "being run again" in report.warnings[0]
    assert [step.try_number for step in read_steps(world.store, old)] == [2]


# Ended in the middle


class Killed(BaseException):
    """What no except clause for errors sees."""


def busy(store: MemoryStore | FolderStore) -> World:
    """Two old runs to delete, one that an entry keeps, one with a model, a young one."""
    world = World(store)
    a, b, c, d, e = (world.run(f"r{number}", age) for number, age in enumerate((90, 80, 70, 60, 1)))
    world.ran(a, "prepare", 1, code="a")
    world.ran(a, "train", 2, code="a")
    cancel_run(store, a.dag_id, a.run_id, "late")
    store.write(f"{a.folder}/waiting-reuse.json", b"{}")
    world.ran(b, "prepare", 3, code="b")
    world.reused(b, "train", 2)
    world.ran(c, "prepare", 4, code="c")
    world.model(world.ran(d, "train", 5, code="d"))
    world.reused(e, "prepare", 4)
    return world


def sound(world: World) -> None:
    """Nothing that is there refers to anything that is not."""
    reuse = ReuseStore(world.store)
    for name in reuse.fingerprints():
        entry = reuse.read(name).entry
        assert entry is not None
        for output in entry.outputs.values():
            assert world.has(f"{output.reference['path']}/data.csv")
        assert world.has(f"{entry.origin.folder}/files/model.pkl")
        assert world.has(f"{layout.SNAPSHOTS}/{entry.key['code'].partition(':')[2]}.zip")
    runs = {run.run_id: run for run in list_runs(world.store)}
    assert {"r2", "r3", "r4"} <= runs.keys()
    for run in runs.values():
        assert read_steps(world.store, run)
    for number in (4, 5):
        assert reuse.read(fingerprint(number)).entry is not None


@pytest.mark.parametrize("error", [Killed, OSError], ids=["killed", "failing"])
def test_ended_at_any_call_it_leaves_nothing_that_is_wrong_or_forgotten(error: type[BaseException]) -> None:
    initial = dict(busy(MemoryStore()).store.files)  # type: ignore[attr-defined]
    whole = World(MemoryStore(initial))
    whole.clean()
    sound(whole)
    assert len(whole.paths()) < len(initial)
    calls = 0
    while True:
        store = MemoryStore(initial)
        world, count = World(store), iter(range(10**6))

        def stop(verb: str, path: str) -> None:
            now = next(count)  # noqa: B023
            if now == calls or (now > calls and error is Killed):  # noqa: B023
                raise error(f"{verb} {path}")

        store.before = stop
        with contextlib.suppress(Killed, CleaningError):
            world.clean()
        ended = next(count) > calls
        store.before = lambda verb, path: None
        sound(world)
        world.clean()
        assert world.paths() == whole.paths()
        calls += 1
        if not ended:
            break
    assert calls > 100


def test_it_is_the_same_in_a_folder(tmp_path: Path) -> None:
    world = busy(FolderStore(tmp_path))
    memory = busy(MemoryStore())
    assert world.clean().deleted == memory.clean().deleted
    assert world.paths() == memory.paths()
    assert not (tmp_path / "azureml" / "train.r0.prepare.1").exists()


def test_each_record_is_read_once_in_a_scan(world: World) -> None:
    for number in range(20):
        world.ran(world.run(f"r{number}", number), number=number)
    reads = Counter[str]()

    def count(verb: str, path: str) -> None:
        reads[path] += verb == "read"

    world.memory.before = count
    assert world.gone() == {}
    assert set(reads.values()) == {0, 1}
