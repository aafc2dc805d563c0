"""Datasets as inputs and outputs of steps that really run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlsteps import (
    Dataset,
    Datastore,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
)
from mlsteps.data.sql import SqlDataReference
from mlsteps.exceptions import StepDefinitionError, UserErrorException
from steps.project import Project, states

# Tells what it was given: arguments, and each input as the script sees it.
TELL = """
    import json, os, sys
    from pathlib import Path
    from mlsteps import Run
    told = {"argv": sys.argv[1:]}
    for name, given in Run.get_context().input_datasets.items():
        told[name] = str(given)
        told[f"{name}: variable"] = os.environ[name]
        place = Path(given)
        files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
        told[f"{name}: files"] = {str(f.relative_to(place)) if f != place else f.name: f.read_bytes()
            .decode(errors="replace")[:40] for f in files}
        if hasattr(given, "id"):
            told[f"{name}: id"] = given.id
        if os.environ.get("ROWS"):
            told[f"{name}: rows"] = given.to_pandas_dataframe().to_dict("list")
    Path(os.environ["NOTE"]).write_text(json.dumps(told))
"""


@pytest.fixture
def raw(project: Project) -> Datastore:
    """Two tables and a text on the default datastore."""
    datastore = project.workspace.get_default_datastore()
    datastore.store.write("raw/a.csv", b"n,word\n1,one\n2,two\n")
    datastore.store.write("raw/b.csv", b"n,word\n3,three\n")
    datastore.store.write("raw/notes.txt", b"a note")
    return datastore


def run(project: Project, *inputs: Any, rows: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a step with these inputs; what its script told."""
    variables = {"NOTE": str(project.note("tell")), **({"ROWS": "1"} if rows else {})}
    step = tell(project, inputs, variables, **arguments)
    finished = project.run(Pipeline(project.workspace, steps=[step]).to_dag("datasets"))
    assert not finished.failed, finished
    return project.told("tell")


def tell(project: Project, inputs: Any, variables: dict[str, str], **arguments: Any) -> Any:
    from mlsteps import RunConfiguration

    configuration = RunConfiguration()
    configuration.environment.environment_variables.update(variables)
    return project.step("tell", TELL, inputs=list(inputs), runconfig=configuration, **arguments)


def test_a_folder_is_mounted_where_it_is(project: Project, raw: Datastore) -> None:
    files = Dataset.File.from_files(raw.path("raw"))
    told = run(
        project, files.as_named_input("raw").as_mount(), arguments=["--raw", files.as_named_input("raw")]
    )
    assert told["raw"] == told["raw: variable"] == told["argv"][1] == str(raw.store.local_path("raw"))
    assert set(told["raw: files"]) == {"a.csv", "b.csv", "notes.txt"}


def test_a_single_file_is_a_file(project: Project, raw: Datastore) -> None:
    table = Dataset.File.from_files(raw.path("raw/a.csv"))
    told = run(project, table.as_named_input("table").as_download())
    assert told["table: files"] == {"a.csv": "n,word\n1,one\n2,two\n"}
    assert told["table"] != str(raw.store.local_path("raw/a.csv"))


def test_a_pattern_is_staged_and_a_new_file_is_a_change(project: Project, raw: Datastore) -> None:
    tables = Dataset.File.from_files((raw, "raw/*.csv")).as_named_input("tables").as_mount()
    assert set(run(project, tables)["tables: files"]) == {"a.csv", "b.csv"}
    raw.store.write("raw/other.txt", b"of no concern")
    again = project.run(
        Pipeline(project.workspace, steps=[tell(project, [tables], note(project))]).to_dag("datasets")
    )
    assert states(again) == {"tell": "skipped"}
    raw.store.write("raw/c.csv", b"n,word\n4,four\n")
    assert set(run(project, tables)["tables: files"]) == {"a.csv", "b.csv", "c.csv"}


def note(project: Project) -> dict[str, str]:
    return {"NOTE": str(project.note("tell"))}


def test_rows_are_read_in_the_script(project: Project, raw: Datastore) -> None:
    rows = Dataset.Tabular.from_delimited_files((raw, "raw/*.csv")).keep_columns(["n"])
    told = run(project, rows.as_named_input("rows"), rows=True, arguments=[rows.as_named_input("rows")])
    assert told["rows: rows"] == {"n": [1, 2, 3]}
    assert told["argv"] == [rows.id] == [told["rows: id"]] == [told["rows: variable"]]


def test_other_columns_or_other_content_are_a_change(project: Project, raw: Datastore) -> None:
    rows = Dataset.Tabular.from_delimited_files((raw, "raw/*.csv"))

    def go(dataset: Any) -> dict[str, str | None]:
        step = tell(project, [dataset.as_named_input("rows")], {**note(project), "ROWS": "1"})
        return states(project.run(Pipeline(project.workspace, steps=[step]).to_dag("rows")))

    assert go(rows) == {"tell": "success"}
    assert go(rows) == {"tell": "skipped"}
    assert go(rows.drop_columns(["word"])) == {"tell": "success"}
    raw.store.write("raw/b.csv", b"n,word\n3,drei\n")
    assert go(rows) == {"tell": "success"}


def test_the_newest_version_is_read_when_the_step_runs(project: Project, raw: Datastore) -> None:
    from mlsteps import DatasetConsumptionConfig

    Dataset.File.from_files(raw.path("raw/a.csv")).register(project.workspace, "table")
    latest = DatasetConsumptionConfig("table", (project.workspace, "table"), "mount")
    assert set(run(project, latest)["table: files"]) == {"a.csv"}
    Dataset.File.from_files(raw.path("raw/b.csv")).register(
        project.workspace, "table", create_new_version=True
    )
    assert set(run(project, latest)["table: files"]) == {"b.csv"}


def test_whoever_triggers_a_run_may_choose_a_dataset(project: Project, raw: Datastore) -> None:
    from mlsteps import DatasetConsumptionConfig

    first = Dataset.File.from_files(raw.path("raw/a.csv")).register(project.workspace, "first")
    Dataset.File.from_files(raw.path("raw/b.csv")).register(project.workspace, "second")
    parameter = PipelineParameter("which", first)
    assert (parameter.form_default, parameter.json_type) == ("first:1", "string")
    chosen = DatasetConsumptionConfig("table", parameter, "mount")
    step = tell(project, [chosen], note(project))
    dag = Pipeline(project.workspace, steps=[step]).to_dag("choosing")
    assert dag.params["which"] == "first:1"
    assert not project.run(dag).failed
    assert set(project.told("tell")["table: files"]) == {"a.csv"}
    for name in ("second", "second:1"):
        assert not project.run(dag, which=name).failed
        assert set(project.told("tell")["table: files"]) == {"b.csv"}
    assert project.run(dag, which="third").failed


MAKE = """
    import sys
    from pathlib import Path
    Path(sys.argv[1]).mkdir(exist_ok=True)
    Path(sys.argv[1], "part-1.csv").write_text("n\\n1\\n")
    Path(sys.argv[1], "part-2.csv").write_text("n\\n2\\n")
"""


@pytest.mark.parametrize("kind", ["OutputFileDatasetConfig", "PipelineData"])
def test_an_output_is_read_as_rows_and_registered(project: Project, kind: str) -> None:
    if kind == "PipelineData":
        made = PipelineData("made").as_dataset().parse_delimited_files().register("kept", tags={"a": "b"})
        read = made.as_named_input("rows").as_direct()
        outputs: list[Any] = [made]
    else:
        config = OutputFileDatasetConfig("made").read_delimited_files().register_on_complete("kept")
        read, outputs = config.as_input("rows"), []
        made = config  # type: ignore[assignment]
    make = project.step("make", MAKE, arguments=[made], outputs=outputs)
    step = tell(project, [read], {**note(project), "ROWS": "1"})
    dag = Pipeline(project.workspace, steps=[make, step]).to_dag("rows_of_a_step")
    assert not project.run(dag).failed
    assert project.told("tell")["rows: rows"] == {"n": [1, 2]}
    kept = Dataset.get_by_name(project.workspace, "kept")
    assert kept.to_pandas_dataframe()["n"].tolist() == [1, 2]
    assert states(project.run(dag)) == {"make": "skipped", "tell": "skipped"}
    assert Dataset.get_by_name(project.workspace, "kept").version == 1


def test_what_cannot_be_an_input_is_told_when_the_step_is_declared(project: Project, raw: Datastore) -> None:
    files = Dataset.File.from_files(raw.path("raw"))
    with pytest.raises(StepDefinitionError, match=r"no name as an input.*as_named_input"):
        project.step("x", inputs=[files])
    with pytest.raises(StepDefinitionError, match="rows of a database.*DataTransferStep"):
        project.step("x", inputs=[SqlDataReference(raw, "sales", sql_table="sales")])
    with pytest.raises(UserErrorException, match="rows, which have no path to mount"):
        Dataset.Tabular.from_delimited_files((raw, "raw/*.csv")).as_named_input("rows").as_mount()


def test_a_missing_path_is_told_with_step_and_place(project: Project, raw: Datastore) -> None:
    gone = Dataset.File.from_files((raw, "gone/*.csv")).as_named_input("gone").as_mount()
    finished = project.run(
        Pipeline(project.workspace, steps=[tell(project, [gone], note(project))]).to_dag("x")
    )
    assert finished.failed
    record = project.record(finished, "tell")
    assert "gone/*.csv" in json.dumps(record.error)
