"""Things that change, and the names that are theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.records.modules import MODULE_NAMES, MODULES, ModuleRecord, find_module
from mlsteps.records.names import Names
from mlsteps.records.states import States
from processes import at_once


@dataclass(frozen=True)
class Thing:
    id: str
    name: str
    created: str = "2026"
    count: int = 0


THINGS = States("things", 1, Thing)
NAMES = Names("thing-names", "thing")


def test_what_was_made_is_found_by_id_and_by_name(store: FolderStore) -> None:
    made = THINGS.create_named(store, NAMES, Thing("a", "first"))
    assert made == Thing("a", "first")
    assert THINGS.named(store, NAMES, "a", None) == THINGS.named(store, NAMES, None, "first") == made
    assert THINGS.named(store, NAMES, "b", "first") is None
    assert THINGS.list(store) == [made]


def test_a_name_is_one_thing_s(store: FolderStore) -> None:
    assert THINGS.create_named(store, NAMES, Thing("a", "first"))
    assert THINGS.create_named(store, NAMES, Thing("b", "first")) is None
    assert [thing.id for thing in THINGS.list(store)] == ["a"]


def test_a_name_that_was_given_back_is_anybody_s(store: FolderStore) -> None:
    assert THINGS.create_named(store, NAMES, Thing("a", "first"))
    assert NAMES.take(store, "second", "a")
    THINGS.change(store, "a", lambda thing: replace(thing, name="second"))
    NAMES.give_back(store, "first", "a")
    assert THINGS.create_named(store, NAMES, Thing("b", "first")) == Thing("b", "first")


def test_who_is_killed_between_name_and_thing_blocks_nobody(store: FolderStore) -> None:
    assert NAMES.take(store, "first", "killed")
    assert THINGS.create_named(store, NAMES, Thing("b", "first")) == Thing("killed", "first")
    assert THINGS.create_named(store, NAMES, Thing("killed", "first")) is None  # it was only slow
    assert THINGS.list(store) == [Thing("killed", "first")]


IMPORTS = """
from dataclasses import replace
from mlsteps.data.stores import FolderStore
from mlsteps.records.modules import MODULES, ModuleRecord, create_module
"""


@pytest.mark.parametrize("killed", [False, True])
def test_of_many_who_make_one_of_a_name_at_once_one_does(
    tmp_path: Path, store: FolderStore, killed: bool
) -> None:
    if killed:
        MODULE_NAMES.take(store, "first", "killed")
    code = f"""
store = FolderStore({str(tmp_path / "store")!r})
print(create_module(store, ModuleRecord(str(number), "first", "", "Active", "")) is not None)
"""
    assert sorted(at_once(IMPORTS, code, tmp_path)) == ["False"] * 7 + ["True"]
    found = find_module(store, "first")
    assert found is not None and MODULES.list(store) == [found]


def test_no_change_is_lost_where_many_change_one(tmp_path: Path, store: FolderStore) -> None:
    module = ModuleRecord("a", "first", "", "Active", "")
    assert MODULES.create(store, module)
    code = f"""
store = FolderStore({str(tmp_path / "store")!r})
MODULES.change(store, "a", lambda module: replace(module, description=module.description + str(number)))
"""
    at_once(IMPORTS, code, tmp_path)
    found = MODULES.read(store, "a")
    assert found is not None and sorted(found.description) == list("01234567")
