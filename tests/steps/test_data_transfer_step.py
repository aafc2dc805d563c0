"""DataTransferStep in DAGs that really run: between folders, blobs and tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Dataset,
    Datastore,
    DataTransferStep,
    Pipeline,
    PipelineData,
    PipelineParameter,
    SqlDataReference,
)
from mlsteps.cli.azurite import Azurite
from mlsteps.exceptions import StepDefinitionError
from servers.azurite import azurite, free_container
from steps.project import Project, states

__all__ = ["azurite"]

READ = """
    import sys
    from pathlib import Path
    place, out = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    out.write_text(" ".join(f"{p.name}={p.read_text()}" for p in files))
"""


class Transfers:
    """Two datastores, ``here`` on a folder and ``there`` on blob storage, and the transfers between them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.here = Datastore(project.workspace, "here")
        self.there = Datastore(project.workspace, "there")

    def run(self, *steps: Any, **conf: Any) -> Any:
        return self.project.run(Pipeline(self.project.workspace, steps=list(steps)).to_dag("moving"), **conf)

    def ok(self, *steps: Any, **conf: Any) -> dict[str, str | None]:
        finished = self.run(*steps, **conf)
        assert not finished.failed, finished
        return states(finished)

    def copy(self, source: Any, destination: Any, **arguments: Any) -> DataTransferStep:
        return DataTransferStep("copy", source, destination, "adf", **arguments)

    def error(self, *steps: Any) -> str:
        finished = self.run(*steps)
        assert finished.failed
        return json.dumps(self.project.record(finished, "copy").error)


@pytest.fixture
def moving(project: Project, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Transfers:
    extra = {"connection_string": azurite.connection_string}
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "extra": extra}))
    container = free_container()
    (project.folder / "workspace.yaml").write_text(
        "datastores:\n  here: here\n  there: {type: azure_blob, conn_id: blobs, create_if_not_exists: true, "
        f"container: {container}0}}\n  db: {{type: sqlite, conn_id: db}}\n"
    )
    connection = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "sales.db")})
    monkeypatch.setenv("AIRFLOW_CONN_DB", connection)
    return Transfers(project)


def put(datastore: Datastore, **files: str) -> None:
    for name, text in files.items():
        datastore.store.write(name.replace("__", "/"), text.encode())


def read(datastore: Datastore, path: str) -> dict[str, str]:
    store = datastore.store
    return {info.path[len(path) + 1 :]: store.read(info.path).decode() for info in store.list(path)}


def test_a_folder_is_copied_and_read_by_the_step_behind(moving: Transfers) -> None:
    put(moving.here, raw__a="1", raw__sub__b="2")
    result = PipelineData("result")

    def steps() -> tuple[Any, ...]:
        copy = moving.copy(moving.here.path("raw"), moving.there.path("copied"))
        copied = copy.get_output()
        return copy, moving.project.step(
            "read", READ, arguments=[copied, result], inputs=[copied], outputs=[result]
        )

    assert moving.ok(*steps()) == {"copy": "success", "read": "success"}
    assert read(moving.there, "copied") == {"a": "1", "sub/b": "2"}
    result = PipelineData("result")
    assert moving.ok(*steps()) == {"copy": "skipped", "read": "skipped"}
    put(moving.here, raw__a="one")
    result = PipelineData("result")
    assert moving.ok(*steps()) == {"copy": "success", "read": "success"}
    assert read(moving.there, "copied") == {"a": "one", "sub/b": "2"}


def test_what_is_copied_has_to_stand_and_other_files_do_not_matter(moving: Transfers) -> None:
    put(moving.here, raw__a="1", raw__b="2")
    put(moving.there, copied__other="of somebody else")

    def go(**arguments: Any) -> str | None:
        return moving.ok(moving.copy(moving.here.path("raw"), moving.there.path("copied"), **arguments))[
            "copy"
        ]

    assert go() == "success"
    put(moving.there, copied__another="later")
    assert go() == "skipped"
    assert read(moving.there, "copied") == {
        "a": "1",
        "b": "2",
        "other": "of somebody else",
        "another": "later",
    }
    put(moving.there, copied__a="x")
    assert go() == "success"
    assert read(moving.there, "copied")["a"] == "1"
    moving.there.store.delete("copied/b")
    assert go() == "success"
    assert go(mirror=True) == "success"
    assert read(moving.there, "copied") == {"a": "1", "b": "2"}
    put(moving.there, copied__other="again")
    assert go(mirror=True) == "success"
    assert read(moving.there, "copied") == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("destination", "kind", "expected"),
    [
        ("new.csv", None, "new.csv"),
        ("folder", "directory", "folder/a.csv"),
        ("folder", "Directory", "folder/a.csv"),
        ("there", None, "there/a.csv"),
        ("", None, "a.csv"),
    ],
)
def test_where_a_single_file_goes(
    moving: Transfers, destination: str, kind: str | None, expected: str
) -> None:
    put(moving.there, **{"raw__a.csv": "1"})
    put(moving.here, there__other="makes it a folder")
    for state in ("success", "skipped"):
        step = moving.copy(
            moving.there.path("raw/a.csv"),
            moving.here.path(destination, "target"),
            destination_reference_type=kind,
        )
        assert moving.ok(step) == {"copy": state}
    assert moving.here.store.read(expected) == b"1"


def test_blobs_are_copied_to_another_folder_and_to_another_container(moving: Transfers) -> None:
    put(moving.there, raw__a="1", raw__sub__b="2")
    assert moving.ok(moving.copy(moving.there.path("raw"), moving.there.path("copied"))) == {
        "copy": "success"
    }
    assert read(moving.there, "copied") == {"a": "1", "sub/b": "2"}


def test_a_dataset_is_copied(moving: Transfers) -> None:
    put(moving.here, **{"raw__a.csv": "1", "raw__b.txt": "2"})
    tables = Dataset.File.from_files((moving.here, "raw/*.csv")).as_named_input("tables")
    assert moving.ok(moving.copy(tables.as_mount(), moving.there.path("copied"))) == {"copy": "success"}
    assert read(moving.there, "copied") == {"a.csv": "1"}


def test_both_ends_may_be_chosen_by_whoever_triggers_the_run(moving: Transfers) -> None:
    put(moving.here, one="1", two="2")
    source = PipelineParameter("from", DataPath(moving.here, "one"))
    target = PipelineParameter("to", DataPath(moving.there, "a"))
    binding = DataPathComputeBinding()
    assert moving.ok(moving.copy((source, binding), (target, binding))) == {"copy": "success"}
    step = moving.copy((source, binding), (target, binding))
    assert moving.ok(step, **{"from": "here/two", "to": "there/b"}) == {"copy": "success"}
    assert [moving.there.store.read(name) for name in ("a", "b")] == [b"1", b"2"]


def test_rows_become_a_file_and_a_file_rows(moving: Transfers, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "sales.db")
    database.execute("create table sales (day text, amount integer)")
    database.executemany("insert into sales values (?, ?)", [("mon", 1), ("tue", 2)])
    database.commit()
    db = Datastore(moving.project.workspace, "db")
    query = SqlDataReference(db, "sales", sql_query="select * from sales where amount > 1")
    assert moving.ok(moving.copy(query, moving.there.path("sales.csv"))) == {"copy": "success"}
    assert moving.there.store.read("sales.csv").splitlines() == [b"day,amount", b"tue,2"]
    folder = moving.copy(query, moving.there.path("f"), destination_reference_type="directory")
    assert moving.ok(folder) == {"copy": "success"}
    assert set(read(moving.there, "f")) == {"sales.csv"}

    table = SqlDataReference(db, "loaded", sql_table="loaded")
    load = moving.copy(moving.there.path("sales.csv"), table)
    assert moving.ok(load) == {"copy": "success"}
    assert database.execute("select * from loaded").fetchall() == [("tue", 2)]
    assert moving.ok(moving.copy(moving.there.path("sales.csv"), table)) == {"copy": "success"}
    assert len(database.execute("select * from loaded").fetchall()) == 2, "another run appends"


def test_rows_are_never_reused(moving: Transfers, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "sales.db")
    database.execute("create table sales (day text)")
    database.commit()
    table = SqlDataReference(Datastore(moving.project.workspace, "db"), "sales", sql_table="sales")
    for _ in range(2):
        assert moving.ok(moving.copy(table, moving.here.path("sales.parquet"))) == {"copy": "success"}


@pytest.mark.parametrize(
    ("arrange", "told"),
    [
        (lambda m: m.copy(m.here.path("gone"), m.there.path("x")), "nothing at"),
        (
            lambda m: m.copy(m.here.path("raw"), m.there.path("x"), source_reference_type="file"),
            "is a directory, not a file",
        ),
        (
            lambda m: m.copy(m.here.path("raw"), m.there.path("taken")),
            "is a file, and the source a directory",
        ),
        (lambda m: m.copy(m.here.path("raw"), m.here.path("raw/inside", "target")), "raw"),
        (lambda m: m.copy(m.here.path("odd"), m.there.path("x")), "backslash"),
        (
            lambda m: m.copy(m.here.path("raw"), m.there.path("differs"), overwrite="refuse"),
            "exists and differs",
        ),
    ],
    ids=["missing", "kind", "onto a file", "into itself", "name", "refused"],
)
def test_what_cannot_be_copied_is_told_and_nothing_is_written(
    moving: Transfers, arrange: Callable[[Transfers], Any], told: str
) -> None:
    put(moving.here, raw__a="1", raw__b="2", odd__fine="1")
    moving.here.store.write("odd/back\\slash", b"x")
    put(moving.there, taken="a file", differs__a="other")
    before = {info.path for info in moving.there.store.list()}
    error = moving.error(arrange(moving))
    assert told in error
    assert "copy" in error
    assert {info.path for info in moving.there.store.list()} == before


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda m: m.copy(None, m.here.path("x")), "'source_data_reference': it is missing"),
        (lambda m: m.copy(m.here.path("x"), "x"), "'destination_data_reference': str 'x' is no place"),
        (lambda m: m.copy(m.here.path("x"), PipelineData("x")), "is no place to copy to"),
        (
            lambda m: m.copy(m.here.path("x"), SqlDataReference(m.here, "q", sql_query="select 1")),
            "names no table",
        ),
        (
            lambda m: m.copy(
                SqlDataReference(m.here, "q", sql_query="select 1"),
                SqlDataReference(m.here, "t", sql_table="t"),
            ),
            "from one database to another",
        ),
        (
            lambda m: m.copy(m.here.path("x"), m.there.path("y"), source_reference_type="folder"),
            "neither 'file' nor 'directory'",
        ),
        (
            lambda m: m.copy(m.here.path("x"), m.there.path("y"), overwrite="yes"),
            "'overwrite': 'yes' is not one",
        ),
        (lambda m: m.copy(m.here.path("x"), m.there.path("y"), parallel=0), "'parallel': expected a number"),
        (lambda m: m.copy(m.here.path("x"), m.there.path("y"), sql_mode="add"), "'sql_mode': 'add'"),
    ],
)
def test_a_wrong_declaration_is_told_at_once(
    moving: Transfers, declare: Callable[[Transfers], Any], told: str
) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'copy'") as error:
        declare(moving)
    assert told in str(error.value)


def test_a_table_is_no_input_for_a_script(moving: Transfers) -> None:
    table = SqlDataReference(Datastore(moving.project.workspace, "db"), "t", sql_table="t")
    with pytest.raises(StepDefinitionError, match="its destination is a table"):
        moving.copy(moving.here.path("x"), table).get_output()
