"""What nobody can reach goes, and nothing else."""

from __future__ import annotations

import json

import pytest

from mlsteps.cleaning.carry_out import CleaningError
from mlsteps.records import cancel_run, layout, list_runs
from mlsteps.reuse.store import ReuseStore

from .memory import MemoryStore
from .world import DATA, NOW, World, entry_path, fingerprint, key, listing, snapshot

# What goes


def test_an_old_run_goes_with_everything_that_only_it_referred_to(world: World) -> None:
    old, new = world.run("r1", 40), world.run("r2", 1)
    world.ran(old, number=1, code="old")
    world.ran(new, number=2, code="new")
    report = world.clean()
    gone = {kind: amount.number for kind, amount in report.deleted.items()}
    assert gone == {"runs": 1, "outputs": 1, "snapshots": 1, "entries": 1, "listings": 1, "claims": 0}
    assert report.deleted["outputs"].bytes == len(DATA)
    assert report.deleted["runs"].files == 4
    assert not world.has(old.folder) and not world.has(snapshot("old")) and not world.has(listing("old"))
    assert not world.has("azureml/train.r1.prepare.1") and not world.has(entry_path(1))
    assert world.has(snapshot("new")) and world.has(listing("new")) and world.has(listing("raw"))
    assert world.has("azureml/train.r2.prepare.1/out/data.csv") and world.has(entry_path(2))


def test_a_second_time_there_is_nothing_left_to_do(world: World) -> None:
    for number in range(4):
        world.ran(world.run(f"r{number}", 40 + number), number=number % 2)
    assert world.gone()
    assert world.gone() == {}


def test_a_dry_run_says_the_same_and_deletes_nothing(world: World) -> None:
    world.ran(world.run("r1", 40), number=1)
    world.ran(world.run("r2", 1))
    before = world.paths()
    told = world.clean(dry_run=True)
    assert told.dry_run and world.paths() == before
    assert world.clean().deleted == told.deleted
    assert told.total.number == 3


@pytest.mark.parametrize(("keep_last", "left"), [(0, set()), (1, {"a3", "b1"}), (2, {"a3", "a2", "b1"})])
def test_the_last_runs_of_each_dag_stay(world: World, keep_last: int, left: set[str]) -> None:
    for number, age in ((1, 90), (2, 80), (3, 70)):
        world.ran(world.run(f"a{number}", age, dag="a"))
    world.ran(world.run("b1", 100, dag="b"))
    world.clean(keep_last=keep_last)
    assert {run.run_id for run in list_runs(world.store)} == left


def test_young_runs_and_entries_stay(world: World) -> None:
    for number in range(3):
        world.ran(world.run(f"r{number}", number), number=number)
    assert world.gone() == {}
    assert world.gone(days=1.5) == {"runs": 1, "outputs": 1, "entries": 1}
    assert world.gone(days=0) == {"runs": 1, "outputs": 1, "entries": 1}


def test_what_a_failed_try_left_goes_with_its_run(world: World) -> None:
    world.failed(world.run("r1", 40))
    run = world.run("r2", 40)
    world.failed(run, max_tries=2)
    world.ran(run, try_number=2, max_tries=2)
    world.ran(world.run("r3", 1))
    assert world.gone() == {"runs": 2, "outputs": 3}


def test_outputs_that_are_in_no_record_go(world: World) -> None:
    odd = layout.step_run_id("train", "manual__2026-01-01T00:00:00+00:00", "prepare", -1, 1)
    for name in ("train.gone.prepare.1", "train.gone.group.train.12", "train.gone.prepare=3.2", odd):
        world.store.write(f"azureml/{name}/out/data.csv", DATA)
    assert world.gone() == {"outputs": 4}
    assert world.paths() == set()


def test_an_output_of_two_roots_and_two_names_counts_each(world: World) -> None:
    run = world.run("r1", 40)
    world.ran(run)
    world.store.write("azureml/train.r1.prepare.1/second", DATA)
    world.store.write("dataset/train.r1.prepare.1/third/a", DATA)
    world.run("r2", 1)
    assert world.gone() == {"runs": 1, "outputs": 3, "snapshots": 1}


# What stays


def test_an_old_result_that_a_young_run_was_given_stays_with_its_origin(world: World) -> None:
    old, younger, young = world.run("r1", 90), world.run("r2", 60), world.run("r3", 1)
    world.ran(old, "prepare", 1)
    world.ran(old, "train", 2)
    world.reused(younger, "prepare", 1)
    world.ran(younger, "train", 3)
    world.reused(young, "prepare", 1)
    world.ran(young, "train", 4)
    assert world.gone() == {"runs": 1, "outputs": 1, "entries": 1}
    assert not world.has(younger.folder) and not world.has(entry_path(3))
    assert world.has("azureml/train.r1.prepare.1/out/data.csv")
    assert world.has(f"{old.folder}/steps/prepare/try-1/files/model.pkl")
    # All of a run that stays stays.
    assert world.has(entry_path(2)) and world.has("azureml/train.r1.train.1")


def test_the_run_that_a_result_without_outputs_came_from_stays(world: World) -> None:
    old = world.run("r1", 90)
    world.ran(old, number=1)
    world.reused(world.run("r2", 1), "prepare", 1).with_(outputs={}).save(world.store)
    ReuseStore(world.store).forget(fingerprint(1))
    assert world.gone() == {}
    assert world.has(f"{old.folder}/steps/prepare/try-1/files/model.pkl")


def test_the_run_of_a_registered_model_stays(world: World) -> None:
    run = world.run("r1", 90)
    world.model(world.ran(run, number=1))
    world.model(world.ran(world.run("r2", 80)))
    world.run("r3", 1)
    assert world.gone() == {}


def test_what_a_run_that_stays_has_read_stays(world: World) -> None:
    made = world.ran(world.run("r1", 90, dag="other"))
    world.run("r2", 1, dag="other")
    world.ran(world.run("r3", 1)).with_(inputs={"raw": made.outputs["out"]}).save(world.store)
    assert world.gone() == {"runs": 1}
    assert world.has("azureml/other.r1.prepare.1")


def test_fixed_destinations_and_everything_else_on_a_datastore_stays(world: World) -> None:
    other = MemoryStore(name="other")
    world.others = (other,)
    run = world.run("r1", 90)
    world.ran(run, "a", path="dataset/prices")
    world.ran(run, "b", path="predictions/latest", on=other)
    declared = {**key(), "outputs": {"out": {"destination": "dataset/prices.v1.final.2"}}}
    world.ran(run, "c", path="dataset/prices.v1.final.2").with_(key=declared).save(world.store)
    world.run("r2", 1)
    kept = [
        "azureml/logs.txt",
        "azureml/12345678-aaaa-bbbb-cccc-1234567890ab/x",
        "dataset/sales.2024.01.15/x",
        "dataset/train.r1.d.1-copy/x",
        "elsewhere/train.r1.a.1/x",
        "mlsteps/reuse-history/train/a.json",
        "mlsteps/snapshots/notes.txt",
    ]
    for path in kept:
        world.store.write(path, DATA)
    assert world.gone() == {"runs": 1, "snapshots": 1}
    assert world.paths() == {
        *kept,
        "dataset/prices/data.csv",
        "dataset/prices.v1.final.2/data.csv",
        "predictions/latest/data.csv",
        f"{layout.run_folder('train', 'r2')}/run.json",
    }


def test_outputs_go_from_every_datastore_but_unknown_ones_may_be_of_another_workspace(world: World) -> None:
    other = MemoryStore(name="other")
    world.others = (other,)
    world.ran(world.run("r1", 90), path="dataset/train.r1.prepare.1/out", on=other)
    world.run("r2", 1)
    other.write("dataset/train.unknown.prepare.1/out/data.csv", DATA)
    assert world.gone() == {"runs": 1, "outputs": 1, "snapshots": 1}
    assert set(other.files) == {"dataset/train.unknown.prepare.1/out/data.csv"}


def test_a_run_that_was_canceled_before_it_began_stays_canceled(world: World) -> None:
    cancel_run(world.store, "train", "queued", "by somebody")
    waiting = f"{layout.run_folder('train', 'waiting')}/waiting-reuse.json"
    world.store.write(waiting, b"{}")
    assert world.gone() == {}
    assert world.has(f"{layout.run_folder('train', 'queued')}/canceled.json") and world.has(waiting)


# Unreadable


@pytest.mark.parametrize(
    "data",
    [b"{half", b'{"version": 99}', b"[" * 100_000, b'{"version": 1}', b"\xff"],
    ids=["half", "newer", "brackets", "empty", "binary"],
)
@pytest.mark.parametrize("which", ["run.json", "steps/prepare/try-1/step.json"])
def test_of_a_run_with_an_unreadable_record_everything_stays(world: World, which: str, data: bytes) -> None:
    run = world.run("r1", 90)
    world.ran(run, number=1)
    world.ran(run, "train", number=2)
    world.ran(world.run("r2", 80), number=3)
    world.run("r3", 1)
    world.store.write(f"{run.folder}/{which}", data)
    report = world.clean()
    gone = {kind: amount.number for kind, amount in report.deleted.items() if amount.number}
    assert gone == {"runs": 1, "outputs": 1, "entries": 1}
    (warning,) = report.warnings
    assert run.folder in warning
    assert world.has("azureml/train.r1.prepare.1") and world.has(entry_path(1)) and world.has(snapshot())


def test_what_may_be_of_a_run_of_which_nothing_can_be_read_stays(world: World) -> None:
    name = "manual__2026-01-01T00:00:00+00:00"
    run = world.run(name, 90)
    world.ran(run)
    world.ran(world.run(name.replace("2026", "2025"), 300))
    world.run("r3", 1)
    for path in (f"{run.folder}/run.json", f"{run.folder}/steps/prepare/try-1/step.json"):
        world.store.write(path, b"")
    assert world.gone() == {"runs": 1, "outputs": 1}


def test_what_a_record_of_a_newer_mlsteps_names_stays(world: World) -> None:
    world.ran(world.run("r1", 90), number=1, code="old")
    young = world.run("r2", 1)
    path = f"{world.reused(young, 'prepare', 1).try_folder}/step.json"
    newer = {**json.loads(world.store.read(path)), "version": 99}
    world.store.write(path, json.dumps(newer).encode())
    assert world.gone() == {}


def test_an_unreadable_entry_is_left_alone_with_what_it_names(world: World) -> None:
    world.ran(world.run("r1", 90), number=1, code="old")
    world.run("r2", 1)
    newer = {**json.loads(world.store.read(entry_path(1))), "version": 99}
    world.store.write(entry_path(1), json.dumps(newer).encode())
    world.store.write(entry_path(5), b"nothing")
    report = world.clean()
    assert report.total.number == 0
    assert len(report.warnings) == 2 and entry_path(5) in " ".join(report.warnings)


def test_a_store_that_fails_before_anything_is_known_ends_it(world: World) -> None:
    world.ran(world.run("r1", 90), number=1)
    world.run("r2", 1)
    before = world.paths()

    def fail(verb: str, path: str) -> None:
        if path.endswith("step.json"):
            raise PermissionError("Not yours")

    world.memory.before = fail
    with pytest.raises(CleaningError, match="Nothing was deleted.*Not yours"):
        world.clean()
    world.memory.before = lambda verb, path: None
    assert world.paths() == before


# While a run is active


def test_while_a_run_is_active_results_that_could_be_reused_stay(world: World) -> None:
    world.ran(world.run("r1", 90), number=1, code="old")
    world.ran(world.run("r2", 80), code="older")
    world.running(world.run("r3", 60))
    world.run("r4", 1)
    report = world.clean()
    gone = {kind: amount.number for kind, amount in report.deleted.items() if amount.number}
    assert gone == {"runs": 1, "outputs": 1}
    assert [run.run_id for run in report.active] == ["r3"]
    assert (
        world.has(snapshot("older")) and world.has(entry_path(1)) and world.has("azureml/train.r1.prepare.1")
    )


@pytest.mark.parametrize(
    ("age", "more", "active"),
    [
        (0.5, {}, True),
        (1.5, {}, False),
        (0.5, {"state": "failed", "ended": NOW.isoformat()}, False),
    ],
)
def test_a_run_with_steps_to_come_is_active_for_a_day(
    world: World, age: float, more: dict[str, str], active: bool
) -> None:
    run = world.run("r1", age, "prepare", "train", **more)
    world.ran(run, "prepare")
    assert bool(world.clean().active) == active


def test_a_run_is_active_between_two_tries_and_not_when_it_is_done_or_canceled(world: World) -> None:
    run = world.run("r1", 0.1, "prepare")
    world.failed(run, max_tries=2)
    assert world.clean().active
    world.ran(run, try_number=2, max_tries=2)
    assert not world.clean().active
    canceled = world.run("r2", 0.1, "prepare")
    assert world.clean().active
    cancel_run(world.store, canceled.dag_id, canceled.run_id, "enough")
    assert not world.clean().active


def test_a_step_whose_process_is_gone_does_not_run(world: World) -> None:
    record = world.running(world.run("r1", 60))
    record.with_(where={**record.where, "pid": 2**22 + 1}).save(world.store)
    world.run("r2", 1)
    assert world.gone() == {"runs": 1}
