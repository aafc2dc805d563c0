"""Inlets and outlets of steps, the events that Airflow notes of them, and what OpenLineage is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, TaskGroup, task

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Dataset,
    DatasetConsumptionConfig,
    Datastore,
    DataTransferStep,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    PythonScriptStep,
    ReuseSensor,
    SqlDataReference,
    Workspace,
    data_asset,
    output_asset,
)
from mlsteps.asset_uris import dataset_name, to_openlineage
from mlsteps.compat import listening
from mlsteps.exceptions import UserErrorException
from steps.project import Project, states

WRITE = "import sys; open(sys.argv[1], 'w').write('made')"
BINDING = DataPathComputeBinding()
FILL = "import sys; open(sys.argv[1] + '/a.csv', 'w').write('made')"


def uris(assets: list[Any]) -> list[str]:
    return [asset.uri for asset in assets]


def events(dag: DAG) -> list[tuple[str, str, dict[str, Any]]]:
    """Task, asset and extra of each event that tasks of a DAG set off."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent, AssetModel).where(AssetEvent.source_dag_id == dag.dag_id)
        rows = session.execute(query.join(AssetModel, AssetModel.id == AssetEvent.asset_id))
        return [(event.source_task_id, asset.uri, event.extra) for event, asset in rows]


# What is declared


def test_a_step_has_its_outputs_as_outlets_and_its_inputs_as_inlets(project: Project) -> None:
    data = PipelineData("rows")
    with DAG("declared", schedule=None):
        reads = project.step("reads", inputs=[data])
        makes = project.step("makes it", outputs=[data], arguments=[data])
    assert makes.outlets == [output_asset("declared", "makes it", "rows")] == reads.inlets
    assert uris(makes.outlets) == ["x-mlsteps://output/declared/makes_it/rows"]
    assert (makes.inlets, reads.outlets) == ([], [])


def test_steps_that_were_there_before_their_dag_have_the_assets_of_each(project: Project) -> None:
    data = PipelineData("rows")
    makes = project.step("makes", outputs=[data])
    pipeline = Pipeline(project.workspace, [project.step("reads", inputs=[data]), makes])
    assert makes.outlets == []
    for dag_id in ("one", "two"):
        dag: Any = pipeline.to_dag(dag_id, default_args={"retries": 1} if dag_id == "two" else {})
        assert dag.get_task("makes").outlets == [output_asset(dag_id, "makes", "rows")]
        assert dag.get_task("reads").inlets == [output_asset(dag_id, "makes", "rows")]


def test_assets_that_a_step_is_given_stay(project: Project) -> None:
    mine, too = Asset("mine"), Asset("too")
    data = PipelineData("rows")
    with DAG("given", schedule=None, default_args={"outlets": [mine]}):
        one = project.step("one", outputs=[data])
        two = project.step("two", outputs=[PipelineData("more")], inlets=[mine])
    one.outlets.append(too)
    two.add_inlets([too])
    assert one.outlets == [mine, output_asset("given", "one", "rows"), too]
    assert two.outlets == [mine, output_asset("given", "two", "more")]
    assert two.inlets == [mine, too]


def test_an_asset_that_a_step_is_given_under_a_name_of_its_own_is_not_declared_again(
    project: Project,
) -> None:
    named = Asset("the model", uri=output_asset("named", "train", "model").uri)
    with DAG("named", schedule=None):
        train = project.step("train", outputs=[PipelineData("model")], outlets=[named])
    assert train.outlets == [named]


def test_a_step_of_a_task_group_is_named_by_its_id(project: Project) -> None:
    data = PipelineData("rows")
    with DAG("grouped", schedule=None), TaskGroup("group"):
        makes = project.step("makes", outputs=[data])
    assert makes.outlets == [output_asset("grouped", "group.makes", "rows")]


@pytest.mark.smoke
def test_a_mapped_step_has_assets(project: Project) -> None:
    data, more = PipelineData("rows"), PipelineData("more")
    mine = Asset("mine")
    with DAG("mapped", schedule=None):
        project.step("makes", outputs=[data])
        mapped = PythonScriptStep.partial(
            project.script("each.py"),
            name="each",
            source_directory=project.source,
            inputs=[data],
            outputs=[more],
            outlets=mine,
        ).expand(arguments=[["1"], ["2"]])
        other = PythonScriptStep.partial(
            project.script("other.py"), name="other", source_directory=project.source
        ).expand(arguments=[["1"]])
    assert mapped.inlets == [output_asset("mapped", "makes", "rows")]
    assert mapped.outlets == [mine, output_asset("mapped", "each", "more")]
    assert (other.inlets, other.outlets) == ([], [])


def test_data_at_a_fixed_place_is_one_asset_for_who_writes_and_who_reads_it(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    table = OutputFileDatasetConfig("table", destination=(store, "tables/{output-name}"))
    with DAG("writes", schedule=None):
        writes = project.step("writes", outputs=[table])
        each = project.step("each", outputs=[OutputFileDatasetConfig("new")])
    with DAG("reads", schedule=None):
        reads = project.step("reads", inputs=[DataReference(store, "table", "tables/table")])
    place = data_asset(store.path("tables/table"))
    assert writes.outlets == [output_asset("writes", "writes", "table"), place]
    assert each.outlets == [output_asset("writes", "each", "new")]
    assert reads.inlets == [place]


def test_a_place_has_the_same_asset_on_every_machine(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / f"version-{number}"
        folder.mkdir()
        (folder / "workspace.yaml").write_text("name: forecast\n")
        in_folder = Datastore(Workspace(folder=folder), "raw").path("2024/a day.csv")
        assert data_asset(in_folder).uri == "x-mlsteps://data/folder:forecast/raw/2024/a%20day.csv"
    assert data_asset(Datastore(Workspace()).path("a")).uri == "x-mlsteps://data/default/default/a"
    by_connection = Datastore(Workspace(conn_id="ws"), "raw").path()
    assert data_asset(by_connection).uri == "x-mlsteps://data/airflow:ws/raw"


def test_the_places_of_datasets_are_inlets(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    both = Dataset.File.from_files([store.path("a/one.csv"), (store, "b/**/*.csv")])
    rows = Dataset.Tabular.from_delimited_files((store, "rows.csv")).to_csv_files()
    chosen = PipelineParameter("chosen", both)
    with DAG("datasets", schedule=None):
        reads = project.step(
            "reads", inputs=[both.as_named_input("both").as_mount(), rows.as_named_input("rows")]
        )
        decided_later = project.step(
            "decided_later",
            inputs=[
                chosen_input(chosen),
                Dataset.File.from_files("https://example.org/a.csv").as_named_input("web"),
                Dataset.Tabular.from_sql_query((store, "SELECT 1")).as_named_input("query"),
            ],
        )
    assert reads.inlets == [data_asset(store.path(path)) for path in ("a/one.csv", "b", "rows.csv")]
    assert decided_later.inlets == []


def chosen_input(parameter: PipelineParameter) -> DatasetConsumptionConfig:
    return DatasetConsumptionConfig("chosen", parameter)


def test_a_transfer_has_its_destination_as_outlet(project: Project) -> None:
    here, there = Datastore(project.workspace, "here"), Datastore(project.workspace, "there")
    db = Datastore(project.workspace, "db")
    table = SqlDataReference(db, "t", sql_table="[sales].[prices]")
    query = SqlDataReference(db, "q", sql_query="SELECT 1")
    with DAG("transfers", schedule=None):
        copies = DataTransferStep("copies", here.path("a"), there.path("b"))
        loads = DataTransferStep("loads", here.path("a"), table)
        saves = DataTransferStep("saves", table, there.path("prices.csv"))
        asks = DataTransferStep("asks", query, there.path("c"))
        anywhere = DataTransferStep(
            "anywhere", here.path("a"), (PipelineParameter("where", DataPath(there, "d")), BINDING)
        )
    output = "_data_transfer_output"
    assert (copies.inlets, loads.inlets) == ([data_asset(here.path("a"))],) * 2
    assert copies.outlets == [output_asset("transfers", "copies", output), data_asset(there.path("b"))]
    assert loads.outlets == saves.inlets == [data_asset(table)]
    assert data_asset(SqlDataReference(db, "same", sql_table="sales.prices")) == data_asset(table)
    assert data_asset(table).uri.endswith("/db/sales/prices")
    assert asks.inlets == []
    assert anywhere.outlets == [output_asset("transfers", "anywhere", output)]
    with pytest.raises(UserErrorException, match="no asset.*sql_table"):
        data_asset(query)


def test_a_broken_workspace_does_not_break_the_dag_file(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("no: such setting\n")
    place = Datastore(Workspace(folder=tmp_path), "raw").path("a")
    assert data_asset(place).uri == f"x-mlsteps://data/folder:{tmp_path.name}/raw/a"


def test_an_asset_that_airflow_could_not_store_is_left_out(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    with DAG("long", schedule=None):
        reads = project.step("reads", inputs=[DataReference(store, "deep", "a/" * 750 + "b")])
    assert reads.inlets == []


def test_reading_a_dag_file_makes_no_assets(project: Project) -> None:
    data = PipelineData("rows")
    with DAG("cheap", schedule=None) as dag:
        makes = project.step("makes", outputs=[data])
        reads = project.step("reads", inputs=[data])
    dag.resolve_template_files()
    assert (vars(makes)["outlets"], vars(reads)["inlets"]) == ([], [])


# What happens when they run


@pytest.mark.smoke
def test_a_step_that_ran_sets_off_an_event_that_leads_to_what_it_made(project: Project) -> None:
    data = PipelineData("rows")
    with DAG("told", schedule=None) as dag:
        project.step("makes", WRITE, outputs=[data], arguments=[data])
    run = project.run(dag)
    ((task_id, uri, extra),) = events(dag)
    assert (task_id, uri) == ("makes", output_asset("told", "makes", "rows").uri)
    made = PortDataReference.deserialize(extra)
    assert made.open().read() == "made"
    recorded = project.record(run, "makes").outputs["rows"]
    assert (extra["run_id"], extra["digest"], extra["url"]) == (
        run.run_id,
        recorded["digest"],
        recorded["url"],
    )


@pytest.mark.smoke
@pytest.mark.parametrize("on_reuse", ["skip", "success"])
@pytest.mark.parametrize("sensor", [False, True])
def test_a_step_that_was_reused_sets_off_none(project: Project, on_reuse: str, sensor: bool) -> None:
    data = PipelineData("rows")
    mine = Asset(f"mine_{on_reuse}_{sensor}")
    with DAG(f"reused_{on_reuse}_{sensor}", schedule=None) as dag:
        makes = project.step(
            "makes", WRITE, outputs=[data], arguments=[data], on_reuse=on_reuse, outlets=[mine]
        )
        if sensor:
            _ = ReuseSensor(task_id="reuse") >> makes
    project.run(dag)
    assert len(events(dag)) == 2
    run = project.run(dag)
    assert states(run)["makes"] == ("skipped" if on_reuse == "skip" else "success")
    assert len(events(dag)) == 2
    project.script("makes.py", WRITE + "  # changed")
    project.run(dag)
    assert len(events(dag)) == 4


def test_a_step_that_failed_sets_off_none(project: Project) -> None:
    with DAG("failed", schedule=None) as dag:
        project.step("makes", "raise SystemExit(1)", outputs=[PipelineData("rows")])
    assert project.run(dag).failed
    assert events(dag) == []


def test_a_step_that_skips_those_behind_it_sets_off_an_event(project: Project) -> None:
    rows, model = PipelineData("rows"), PipelineData("model")
    with DAG("cut_off", schedule=None) as dag:
        for name, read, made in (("makes", [], rows), ("trains", [rows], model)):
            project.step(
                name, WRITE, inputs=read, outputs=[made], arguments=[made], source_files=[f"{name}.py"]
            )
    project.run(dag)
    project.script("makes.py", WRITE + "  # changed")
    assert states(project.run(dag)) == {"makes": "success", "trains": "skipped"}
    assert [task_id for task_id, _, _ in events(dag)] == ["makes", "trains", "makes"]


@pytest.mark.smoke
def test_each_task_of_a_mapped_step_sets_off_an_event(project: Project) -> None:
    with DAG("mapped_run", schedule=None) as dag:
        PythonScriptStep.partial(
            project.script("each.py", "import os; open(os.environ['more'] + '/a', 'w').write('a')"),
            name="each",
            source_directory=project.source,
            outputs=[OutputFileDatasetConfig("more")],
        ).expand(arguments=[["1"], ["2"]])
    run = project.run(dag)
    assert not run.failed
    assert sorted(extra["producer"][3] for _, _, extra in events(dag)) == [0, 1]
    project.run(dag)
    assert len(events(dag)) == 2


def test_writing_to_a_fixed_place_is_an_event_of_the_place(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    table = OutputFileDatasetConfig("table", destination=(store, "tables/of_today"))
    with DAG("place", schedule=None) as dag:
        project.step("writes", FILL, outputs=[table], arguments=[table])
    project.run(dag)
    told = {uri: extra["path"] for _, uri, extra in events(dag)}
    assert told[data_asset(store.path("tables/of_today")).uri] == "tables/of_today"
    assert len(told) == 2


def test_a_transfer_is_an_event_of_its_destination_when_it_copied(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    store.store.write("raw/a.csv", b"1")
    there = store.path("copies/today")
    with DAG("moves", schedule=None) as dag:
        DataTransferStep("copy", store.path("raw"), there)
    run = project.run(dag)
    told = {uri: extra for _, uri, extra in events(dag)}
    assert len(told) == 2
    extra = told[data_asset(there).uri]
    assert PortDataReference.deserialize(extra).path_on_datastore == "copies/today"
    assert extra["run_id"] == run.run_id
    assert states(project.run(dag)) == {"copy": "skipped"}
    assert len(events(dag)) == 2
    store.store.write("raw/a.csv", b"2")
    project.run(dag)
    assert len(events(dag)) == 4


def test_loading_a_table_is_an_event_of_the_table(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "sales.db")}
    monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps(connection))
    (project.folder / "workspace.yaml").write_text(
        "datastores:\n  here: here\n  db: {type: sqlite, conn_id: db}\n"
    )
    here = Datastore(project.workspace, "here")
    here.store.write("prices.csv", b"a,b\n1,2\n")
    table = SqlDataReference(Datastore(project.workspace, "db"), "t", sql_table="prices")
    with DAG("loads", schedule=None) as dag:
        DataTransferStep("load", here.path("prices.csv"), table)
    run = project.run(dag)
    ((_, uri, extra),) = events(dag)
    assert (uri, extra) == (data_asset(table).uri, {"table": "prices", "run_id": run.run_id})


def test_a_step_runs_although_another_dag_has_taken_its_asset(project: Project) -> None:
    data = PipelineData("rows")
    with DAG("takes", schedule=None) as takes:

        @task(outlets=[Asset("another name", uri=output_asset("robbed", "makes", "rows").uri)])
        def first() -> None: ...

        first()
    with DAG("robbed", schedule=None) as robbed:
        project.step("makes", WRITE, outputs=[data], arguments=[data])
    project.run(takes)
    assert states(project.run(robbed)) == {"makes": "success"}


# OpenLineage


@pytest.fixture
def lineage(project: Project) -> Any:
    """A function that runs a DAG, and gives what each of its tasks told in the end."""
    pytest.importorskip("airflow.providers.openlineage")
    from airflow.providers.openlineage.extractors.manager import ExtractorManager
    from airflow.utils.state import TaskInstanceState

    def run(dag: DAG) -> dict[str, Any]:
        told = {}

        def on_task(event: str, ti: Any, error: object) -> None:
            if event != "running":
                state = TaskInstanceState.SUCCESS if event == "success" else TaskInstanceState.FAILED
                dag_run = ti.get_template_context()["dag_run"]
                told[ti.task_id] = ExtractorManager().extract_metadata(dag_run, ti.task, state, ti)

        with listening(on_task):
            project.run(dag)
        return told

    return run


def facts(dataset: Any) -> tuple[str, str]:
    return dataset.namespace, dataset.name


def test_openlineage_is_told_the_real_places_of_a_step_that_ran(project: Project, lineage: Any) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    raw = Path(store.store.url("raw.csv"))
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text("1,2\n")
    rows = PipelineData("rows")
    with DAG("open", schedule=None) as dag:
        given = DataReference(store, "raw", "raw.csv")
        project.step("makes", WRITE, inputs=[given], outputs=[rows], arguments=[rows])
        project.step("reads", inputs=[rows])
    told = lineage(dag)
    (read,), (made,) = told["makes"].inputs, told["makes"].outputs
    assert facts(read) == ("file", str(raw))
    (place,) = read.facets["symlinks"].identifiers
    assert facts(place) == facts(to_openlineage(data_asset(given), None))
    assert read.facets["storage"].fileFormat == "csv"
    assert (read.inputFacets["inputStatistics"].size, read.inputFacets["inputStatistics"].fileCount) == (4, 1)
    (event,) = events(dag)
    assert facts(made) == ("file", event[2]["url"])
    assert made.facets["version"].datasetVersion == event[2]["digest"]
    assert made.outputFacets["outputStatistics"].size == 4
    (same,) = told["reads"].inputs
    assert facts(same) == facts(made)
    assert same.facets["version"] == made.facets["version"]
    (link,) = made.facets["symlinks"].identifiers
    assert facts(link) == facts(to_openlineage(output_asset("open", "makes", "rows"), None))
    assert same.facets["symlinks"] == made.facets["symlinks"]


def test_openlineage_is_told_both_names_of_what_lies_at_a_fixed_place(project: Project, lineage: Any) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    store.store.write("raw.csv", b"1")
    store.store.write("folder/old", b"1")
    copied, below = store.path("copy.csv"), store.path("folder")
    table = OutputFileDatasetConfig("table", destination=(store, "tables/today"))
    with DAG("open_places", schedule=None) as dag:
        DataTransferStep("copies", store.path("raw.csv"), copied)
        DataTransferStep("copies_below", store.path("raw.csv"), below)
        project.step("writes", FILL, outputs=[table], arguments=[table])
    told = lineage(dag)

    def links(task_id: str) -> list[str]:
        (made,) = told[task_id].outputs
        return [link.name for link in made.facets["symlinks"].identifiers]

    for task_id, asset in (
        ("copies", data_asset(copied)),
        ("writes", data_asset(store.path("tables/today"))),
    ):
        assert links(task_id)[1:] == [to_openlineage(asset, None).name]
    assert len(links("copies_below")) == 1


def test_openlineage_is_told_what_stands_for_a_reused_step(project: Project, lineage: Any) -> None:
    rows = PipelineData("rows")
    with DAG("open_reused", schedule=None) as dag:
        project.step("makes", WRITE, outputs=[rows], arguments=[rows], on_reuse="success")
    first, second = lineage(dag), lineage(dag)
    assert first["makes"].outputs == second["makes"].outputs != []


def test_openlineage_is_told_what_a_failed_step_read(project: Project, lineage: Any) -> None:
    rows = PipelineData("rows")
    with DAG("open_failed", schedule=None) as dag:
        project.step("makes", WRITE, outputs=[rows], arguments=[rows])
        project.step("fails", "raise SystemExit(1)", inputs=[rows], outputs=[PipelineData("model")])
    told = lineage(dag)
    assert [facts(data) for data in told["fails"].inputs] == [facts(d) for d in told["makes"].outputs]
    assert told["fails"].outputs == []


def test_openlineage_is_told_the_commit(project: Project, lineage: Any) -> None:
    with DAG("open_commit", schedule=None) as dag:
        project.step("runs")
    git = ["git", "-C", str(project.source), "-c", "user.name=me", "-c", "user.email=me@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    code = lineage(dag)["runs"].job_facets["sourceCodeLocation"]
    assert (code.type, code.version, code.url) == ("git", commit, f"file://{project.source}")


@pytest.mark.parametrize(
    ("url", "namespace", "name"),
    [
        ("/data/a b/c", "file", "/data/a b/c"),
        ("s3://bucket/a/b", "s3://bucket", "a/b"),
        ("gs://bucket", "gs://bucket", "/"),
        ("https://acc.blob.core.windows.net/box/a/b", "wasbs://box@acc.blob.core.windows.net", "a/b"),
        ("https://acc.blob.core.windows.net/box", "wasbs://box@acc.blob.core.windows.net", "/"),
        ("https://acc.file.core.windows.net/share/a", "https://acc.file.core.windows.net", "share/a"),
        ("http://127.0.0.1:10000/dev/box/a", "http://127.0.0.1:10000", "dev/box/a"),
        ("https://user:secret@host/a", "https://host", "a"),
    ],
)
def test_places_are_named_by_the_rules_of_openlineage(url: str, namespace: str, name: str) -> None:
    assert dataset_name(url) == (namespace, name)


def test_airflow_finds_the_converter_of_our_assets() -> None:
    pytest.importorskip("airflow.providers.openlineage")
    from airflow.providers.common.compat.openlineage.utils.utils import translate_airflow_asset

    dataset: Any = translate_airflow_asset(output_asset("dag", "a step", "model"), None)
    assert facts(dataset) == ("mlsteps", "output/dag/a_step/model")
