"""Whatever web runs, results and models form: nothing that is referred to is ever deleted."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlsteps.records import layout
from mlsteps.reuse import layout as reuse_layout
from mlsteps.reuse.store import ReuseStore

from .memory import MemoryStore
from .world import World, fingerprint, listing, snapshot


@dataclass(frozen=True)
class Step:
    """A step to be made.

    :param number: Of the fingerprint under which its result is kept or looked for.
    :param code: Of the source directory.
    """

    what: str
    number: int | None
    code: str
    again: bool
    registers: bool
    fixed: bool


@dataclass(frozen=True)
class Made:
    """A run to be made."""

    dag: str
    age: int
    steps: tuple[Step, ...]


steps = st.builds(
    Step,
    what=st.sampled_from(["ran"] * 5 + ["reused"] * 5 + ["failed"]),
    number=st.none() | st.integers(0, 4),
    code=st.sampled_from("abc"),
    again=st.booleans(),
    registers=st.integers(0, 9).map(lambda n: n == 0),
    fixed=st.integers(0, 9).map(lambda n: n == 0),
)
runs = st.builds(
    Made,
    st.sampled_from(["one", "two"]),
    st.integers(0, 60),
    st.lists(steps, min_size=1, max_size=3).map(tuple),
)
busy = st.integers(0, 7).map(lambda n: n == 0)


def build(made: list[Made], one_is_running: bool) -> MemoryStore:
    store = MemoryStore()
    world, results = World(store), ReuseStore(store)
    for index, wanted in enumerate(sorted(made, key=lambda run: -run.age)):
        tasks = [f"step{number}" for number in range(len(wanted.steps))]
        run = world.run(f"r{index}", wanted.age, *tasks, dag=wanted.dag, state="success")
        for task, step in zip(tasks, wanted.steps, strict=True):
            known = step.number is not None and results.read(fingerprint(step.number)).entry is not None
            if step.what == "failed":
                world.failed(run, task)
            elif step.what == "reused" and known and step.number is not None:
                world.reused(run, task, step.number)
            else:
                path = f"dataset/{task}" if step.fixed else None
                record = world.ran(run, task, step.number, code=step.code, again=step.again, path=path)
                if step.registers:
                    world.model(record, "model")
    if one_is_running:
        world.running(world.run("now", 0.1, "a"), "a", 1)
    return store


class Before:
    """What the records said before anything was deleted, read without the code under test."""

    def __init__(self, store: MemoryStore) -> None:
        self.files = dict(store.files)

    def json(self, path: str) -> Any:
        return json.loads(self.files[path])

    def runs(self) -> Iterator[str]:
        return (path.rpartition("/")[0] for path in self.files if path.endswith("/run.json"))

    def below(self, folder: str) -> set[str]:
        return {path for path in self.files if path.startswith(f"{folder}/")}

    def needed_by_entry(self, path: str) -> set[str]:
        entry = self.json(path)
        found = self.below("/".join(entry["origin"]["folder"].split("/")[:4]))
        for output in entry["outputs"].values():
            found |= self.below(output["reference"]["path"])
        return found | self._code(entry["key"]["code"])

    def needed_by_run(self, folder: str) -> set[str]:
        found = self.below(folder)
        for path in list(found):
            if path.endswith("/step.json"):
                step = self.json(path)
                for output in step["outputs"].values():
                    found |= self.below(output["path"])
                found |= self._code(step["key"]["code"])
                if step["reused_from"]:
                    found |= self.below("/".join(step["reused_from"]["folder"].split("/")[:4]))
                if step["fingerprint"]:
                    found |= {reuse_layout.entry(step["fingerprint"])} & self.files.keys()
        return found

    def _code(self, digest: str) -> set[str]:
        name = digest.partition(":")[2]
        paths = {f"{layout.SNAPSHOTS}/{name}.zip", f"mlsteps/listings/{name}.json", listing("raw")}
        return paths & self.files.keys()

    def entries(self) -> set[str]:
        return self.below(reuse_layout.ENTRIES)


def check(before: Before, after: set[str], stay: set[str]) -> None:
    """Nothing that survivors refer to is missing.

    :param stay: The runs that have to be whole.
    """
    assert after <= before.files.keys()
    for path in before.entries() & after:
        assert before.needed_by_entry(path) <= after
    for folder in stay:
        assert before.needed_by_run(folder) <= after
    for path in before.below(layout.MODELS):
        assert path in after
        assert before.needed_by_run("/".join(before.json(path)["path"].split("/")[:4])) <= after
    deletable = re.compile(
        r"azureml/|dataset/\w+\.\w+\.\w+\.\d+/|mlsteps/(runs|snapshots|reuse|listings|claims)/"
    )
    assert {path for path in before.files if not deletable.match(path)} <= after


def must_stay(made: list[Made], days: int, keep_last: int, before: Before) -> set[str]:
    found = set()
    for dag in ("one", "two"):
        mine = [folder for folder in before.runs() if folder.split("/")[2] == dag]
        created = {folder: before.json(f"{folder}/run.json")["created"] for folder in mine}
        newest = sorted(mine, key=lambda folder: (created[folder], folder), reverse=True)
        found |= set(newest[:keep_last])
        ages = dict(enumerate(sorted((run.age for run in made), reverse=True)))
        found |= {folder for folder in mine if ages[int(folder.rsplit("/r", 1)[1])] < days}
    return found


@settings(deadline=None, max_examples=100)
@given(st.lists(runs, max_size=7), busy, st.integers(0, 60), st.integers(0, 2), st.integers(0, 300))
def test_nothing_that_is_referred_to_is_deleted(
    made: list[Made], one_is_running: bool, days: int, keep_last: int, stopped_at: int
) -> None:
    store = build(made, one_is_running)
    before = Before(store)
    report = World(store).clean(days, keep_last)
    after = set(store.files)
    whole = {folder for folder in before.runs() if f"{folder}/run.json" in after}
    check(before, after, whole)
    assert whole >= must_stay(made, days, keep_last, before)
    assert bool(report.active) == one_is_running
    if one_is_running:
        assert before.entries() <= after
        assert {path for path in before.files if path.startswith("mlsteps/snapshots/")} <= after
    # A run is there or it is not, and nothing is left for a second time.
    assert all(before.below(folder) <= after or not before.below(folder) & after for folder in before.runs())
    assert World(store).clean(days, keep_last).total.files == 0

    stopped = MemoryStore(before.files)
    stop_at(stopped, stopped_at)
    with contextlib.suppress(KeyboardInterrupt):
        World(stopped).clean(days, keep_last)
    stopped.before = lambda verb, path: None
    check(before, set(stopped.files), whole)
    World(stopped).clean(days, keep_last)
    assert set(stopped.files) == after


def stop_at(store: MemoryStore, call: int) -> None:
    calls = iter(range(10**6))

    def stop(verb: str, path: str) -> None:
        if next(calls) >= call:
            raise KeyboardInterrupt

    store.before = stop


def test_the_web_has_something_to_find() -> None:
    """The strategy above makes what it is meant to make."""
    old = Made("one", 50, (Step("ran", 1, "a", False, False, False),))
    young = Made("one", 1, (Step("reused", 1, "a", False, False, False),))
    gone = Made("one", 40, (Step("ran", 2, "b", False, False, False),))
    store = build([old, young, gone], False)
    World(store).clean()
    assert snapshot("a") in store.files and snapshot("b") not in store.files
