"""Steps in DAG runs: what their scripts are given, where data goes, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Datastore,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
)
from steps.project import TELL, Project, states

WRITE_FILE = "import sys; open(sys.argv[1], 'w').write('made')"
WRITE_FOLDER = "import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + '/a.txt', 'w').write('made')"
FILL = "import sys; open(sys.argv[1] + '/a.txt', 'w').write('made')"


@pytest.mark.smoke
def test_data_parameters_and_values_travel_through_a_run(project: Project) -> None:
    seen: dict[str, Any] = {}
    store = Datastore(project.workspace)
    raw = Path(store.store.url("raw/a.csv"))
    raw.parent.mkdir(parents=True)
    raw.write_text("a,b")
    model, folder, table = PipelineData("model"), PipelineData("folder"), OutputFileDatasetConfig("table")
    rate, raw_data = PipelineParameter("rate", 0.1), DataReference(store, "raw", "raw/a.csv")
    with DAG("travel") as dag:

        @task
        def choose() -> str:
            return "adam"

        @task
        def consume(one: Any, other: Any, everything: Any) -> None:
            seen.update(
                one=one,
                text=one.open().read(),
                path=one.path,
                files=other.files(),
                everything=sorted(everything),
            )

        project.step(
            "tell",
            TELL,
            inputs=[model, folder.as_download("copy"), table.as_input("rows"), raw_data],
            arguments=[
                model, folder, table.as_input("rows"), "$AZUREML_DATAREFERENCE_raw",
                "--rate", rate, f"run-{rate}", "{{ run_id }}", "{run-id}", choose(), "--flag", True,
            ],
            params={"depth": 3, "share": rate, "day": "{{ dag.dag_id }}"},
            runconfig=_with_variables({"NOTE": str(project.note("tell")), "FROM_RUNCONFIG": f"<{rate}>"}),
        )  # fmt: skip
        project.step("fill", FILL, arguments=[table])
        write = project.step("write", WRITE_FOLDER, outputs=[folder], arguments=[folder])
        first = project.step("first", WRITE_FILE, outputs=[model], arguments=[model])
        consume(first.outputs["model"], write.outputs["folder"], first.output)
    run = project.run(dag, rate=0.5)

    assert not run.failed, states(run)
    told = project.told("tell")
    argv = told["argv"]
    assert [told["kinds"][path] for path in argv[:4]] == ["file", "directory", "directory", "file"]
    assert argv[3] == str(raw)
    assert argv[4:7] == ["--rate", "0.5", "run-0.5"]
    assert argv[7:] == [run.run_id, "{run-id}", "adam", "--flag", "True"]
    variables = told["variables"]
    assert variables["AML_PARAMETER_rate"] == variables["AML_PARAMETER_share"] == "0.5"
    assert (variables["AML_PARAMETER_depth"], variables["AML_PARAMETER_day"]) == ("3", "travel")
    assert variables["FROM_RUNCONFIG"] == "<0.5>"
    assert variables["AZUREML_DATAREFERENCE_model"] == argv[0]
    assert variables["rows"] == argv[2]
    assert variables["AZUREML_RUN_ID"]

    assert seen["text"] == "made"
    assert seen["path"] == argv[0]
    assert seen["files"] == ["a.txt"]
    assert seen["everything"] == ["model"]

    record = project.record(run, "tell")
    assert record.state == "ran"
    assert record.parameters == {"rate": 0.5}
    assert record.command[2:][4:6] == ("--rate", "0.5")
    assert record.inputs["model"]["from"].startswith(f"travel / {run.run_id} / first")
    assert record.inputs["model"]["digest"] == project.record(run, "first").outputs["model"]["digest"]
    assert project.record(run, "first").outputs["model"]["kind"] == "file"
    assert project.record(run, "fill").outputs["table"]["path"].startswith("dataset/")
    assert [step.name for step in project.run_record(run).steps] == ["tell", "fill", "write", "first"]
    assert _size_of_xcoms(run.dag_id, "first") < 2048


def test_places_that_a_script_may_rely_on(project: Project) -> None:
    single, output = PipelineData("single"), OutputFileDatasetConfig("output")
    fixed = OutputFileDatasetConfig("fixed", (Datastore(project.workspace), "here/{run-id}/{output-name}/x"))
    uploaded = OutputFileDatasetConfig("uploaded").as_upload()
    collected = PipelineData("collected", output_mode="upload", output_path_on_compute="results/out.txt")
    project.script("data/deep.txt", "deep")
    with DAG("places") as dag:
        tell = project.step(
            "tell",
            TELL
            + """
    assert os.path.isdir("outputs") and os.path.isdir("logs")
    assert sys.argv[1] == os.environ["AZUREML_DATAREFERENCE_single"]
    assert sys.argv[2] == os.environ["output"]
    Path("outputs/kept.txt").write_text("kept"); Path("logs/kept.log").write_text("log")
    Path("outputs/sub").mkdir(); Path("outputs/sub/deep.txt").write_text("deep")
    Path("data/deep.txt").write_text("changed"); Path("tell.py").write_text("changed")
    os.remove("data/deep.txt")
    Path(sys.argv[1]).write_text("a file")
    for folder in sys.argv[2:5]: Path(folder, "f.txt").write_text("f")
    Path("results/out.txt").write_text("collected")
    print("to stdout"); print("to stderr", file=sys.stderr); print("no newline", end="")
""",
            outputs=[single, output, fixed, uploaded, collected],
            arguments=[single, output, fixed, uploaded],
            runconfig=_with_variables({"NOTE": str(project.note("tell"))}),
        )
    run = project.run(dag)
    assert not run.failed, project.record(run, "tell").error
    told = project.told("tell")
    kinds = [told["kinds"][path] for path in told["argv"]]
    assert kinds == ["parent", "directory", "directory", "directory"]
    assert {"outputs", "logs", "data", "tell.py"} <= set(told["listing"])
    assert told["cwd"] != str(project.source)
    # What the script did to its files it did to a copy.
    assert (project.source / "data" / "deep.txt").read_text() == "deep"
    assert (project.source / "tell.py").read_text() != "changed"
    assert not (project.source / "outputs").exists()
    assert not Path(told["cwd"]).exists()

    record = project.record(run, tell.task_id)
    step_run = record.step_run_id
    assert record.outputs["single"]["path"] == f"azureml/{step_run}/single"
    assert record.outputs["output"]["path"] == f"dataset/{step_run}/output"
    assert record.outputs["fixed"]["path"] == f"here/{step_run}/fixed/x"
    assert project.output(record, "uploaded").joinpath("f.txt").read_text() == "f"
    assert project.output(record, "collected").read_text() == "collected"
    assert set(record.files) == {"outputs/kept.txt", "outputs/sub/deep.txt", "logs/kept.log"}
    log = project.workspace.record_store().read(f"{record.try_folder}/stdout.log")
    assert log == b"to stdout\nno newline"
    assert project.workspace.record_store().read(f"{record.try_folder}/stderr.log") == b"to stderr\n"
    assert set(record.phases) >= {"environment", "stage", "script", "publish"}


def test_what_a_script_asks_its_run(project: Project) -> None:
    store = Datastore(project.workspace)
    store.store.write("raw/only.csv", b"a,b")
    model, table = PipelineData("model"), OutputFileDatasetConfig("table")
    with DAG("run_context", dag_display_name="My experiment") as dag:
        project.step(
            "First ",
            """
            import os, sys
            from mlsteps.run import Run
            run = Run.get_context()
            assert run.output_datasets["table"] == sys.argv[2]
            assert run.experiment.name == "My experiment", run.experiment.name
            open(sys.argv[1], "w").write("model")
            os.makedirs("outputs/deep"); open("outputs/deep/model.pkl", "w").write("pickle")
            run.upload_file("outputs/deep/model.pkl", "outputs/deep/model.pkl")
            model = run.register_model("risk", "outputs/deep", tags={"a": "b"})
            assert (model.name, model.version) == ("risk", 1)
            run.parent.tag("best", "yes"); run.parent.log("rows", 3); run.parent.log("rows", 4)
            run.complete()
            """,
            outputs=[model],
            arguments=[model, table],
        )
        project.step(
            "second",
            """
            import os, sys
            from mlsteps.run import Run
            run = Run.get_context()
            assert isinstance(run.input_datasets["rows"], str)
            assert run.input_datasets["rows"] == sys.argv[1] and os.path.isdir(sys.argv[1])
            raw = run.input_datasets["raw"]
            assert os.path.isfile(raw) and open(raw).read() == "a,b"
            assert run.parent.get_tags() == {"best": "yes"}, run.parent.get_tags()
            assert run.parent.get_metrics() == {"rows": [3, 4]}, run.parent.get_metrics()
            assert run.id == os.environ["AZUREML_RUN_ID"] and run.parent.id == os.environ["MLSTEPS_RUN_ID"]
            assert Run.get_context() is run
            """,
            inputs=[model, table.as_input("rows"), DataReference(store, "raw", "raw/only.csv")],
            arguments=[table.as_input("rows")],
        )
    run = project.run(dag)
    assert not run.failed, [project.record(run, task_id).error for task_id in states(run)]
    first = project.record(run, "First")
    assert first.models == ("risk:1",)
    assert first.name == "First "
    assert first.files == ("outputs/deep/model.pkl",)
    assert first.parent_tags == {"best": "yes"}
    assert project.run_record(run).experiment == "My experiment"


def test_data_path_parameter_decides_what_is_read(project: Project) -> None:
    store = Datastore(project.workspace, "workspacefilestore")
    for name in ("one", "two"):
        place = Path(store.store.url(f"{name}/x.csv"))
        place.parent.mkdir(parents=True)
        place.write_text(name)
    pair = (PipelineParameter("source", DataPath(store, "one")), DataPathComputeBinding("download"))
    show = "import sys, os; print(open(sys.argv[1] + '/x.csv').read(), os.environ['AML_PARAMETER_source'])"
    with DAG("data_path_run") as dag:
        project.step("read", show, inputs=[pair], arguments=[pair])
    for conf, expected in (
        ({}, b"one workspacefilestore/one\n"),
        ({"source": "workspacefilestore/two"}, b"two workspacefilestore/two\n"),
    ):
        record = project.record(project.run(dag, **conf), "read")
        assert project.workspace.record_store().read(f"{record.try_folder}/stdout.log") == expected
    for bad, error in (
        ("nostore/x", "has no datastore 'nostore'"),
        ("/gone", "there is nothing"),
    ):
        assert error in str(project.record(project.run(dag, source=bad), "read").error)
    with pytest.raises(ValueError, match="'nothing' does not match"):
        project.run(dag, source="nothing")


def test_size_of_a_reference_does_not_depend_on_the_data(project: Project) -> None:
    many, big = PipelineData("many"), PipelineData("big")
    with DAG("xcom_size") as dag:
        project.step(
            "make",
            """
            import os, sys
            os.makedirs(sys.argv[1])
            for n in range(5000):
                open(f"{sys.argv[1]}/a-rather-long-file-name-{n}.txt", "w").write(str(n))
            with open(sys.argv[2], "wb") as f:
                f.truncate(300_000_000)
            """,
            outputs=[many, big],
            arguments=[many, big],
        )

        @task
        def pull(ti: Any = None) -> None:
            everything = ti.xcom_pull(task_ids="make")
            assert sorted(everything) == ["big", "many"]
            assert everything["many"].number_of_files == 5000
            assert everything["big"].bytes == 300_000_000
            assert ti.xcom_pull(task_ids="make", key="big") == everything["big"]

        dag.get_task("make") >> pull()
    run = project.run(dag)
    assert not run.failed, states(run)
    assert _size_of_xcoms("xcom_size", "make") < 2048
    assert project.record(run, "make").outputs["many"]["files"] == 5000


def test_template_fields_are_rendered_for_people(project: Project) -> None:
    model = PipelineData("model")
    with DAG("rendered") as dag:
        project.step("make", WRITE_FILE, outputs=[model], arguments=[model])
        project.step("use", inputs=[model], arguments=["--m", model, "{{ 1 + 1 }}"])
    run = project.run(dag)
    assert not run.failed
    fields = _rendered_fields(run.dag_id, run.run_id, "use")
    assert fields["arguments"] == ["--m", "$AZUREML_DATAREFERENCE_model", "2"]
    assert "object at 0x" not in json.dumps(fields, default=str)


def test_steps_of_a_pipeline_run_with_its_defaults(project: Project, tmp_path: Path) -> None:
    from mlsteps import Workspace

    other = Workspace(folder=tmp_path / "other")
    model = PipelineData("model")
    steps = [
        project.step("use", inputs=[model]),
        project.step("make", WRITE_FILE, outputs=[model], arguments=[model]),
    ]
    pipeline = Pipeline(other, steps, default_datastore="workspacefilestore")
    run = project.run(pipeline.to_dag("pipeline_defaults"))
    assert not run.failed
    assert list((tmp_path / "other" / "workspacefilestore" / "azureml").iterdir())


def test_mapped_steps_run_and_record_by_map_index(project: Project) -> None:
    project.script(
        "each.py", "import sys; open(sys.argv[1], 'w').write(open(sys.argv[2]).read() + sys.argv[3])"
    )
    data, part = PipelineData("data"), PipelineData("part")
    got: dict[int, str] = {}
    with DAG("mapped") as dag:
        project.step("make", WRITE_FILE, outputs=[data], arguments=[data])
        each = PythonScriptStep.partial(
            "each.py",
            "For each ",
            source_directory=project.source,
            inputs=[data],
            outputs=[part],
            params={"x": 1},
        ).expand(arguments=[[part, data, "-1"], [part, data, "-2"]])

        @task
        def gather(parts: Any) -> None:
            for reference in parts:
                got[reference["part"].producer.map_index] = reference["part"].open().read()

        gather(each.output)
    assert dag.task_dict["For_each"].upstream_task_ids == {"make"}
    run = project.run(dag)
    assert not run.failed, states(run)
    assert got == {0: "made-1", 1: "made-2"}
    records = [project.record(run, "For_each", index) for index in (0, 1)]
    assert [record.command[-1] for record in records] == ["-1", "-2"]
    assert {record.name for record in records} == {"For each "}
    assert "For each " in [step.name for step in project.run_record(run).steps]
    assert project.output(records[0], "part") != project.output(records[1], "part")


def test_steps_of_a_mapped_task_group_pass_data_within_their_own_copy(project: Project) -> None:
    from airflow.sdk import task_group

    data = PipelineData("data")
    with DAG("mapped_group") as dag:

        @task_group
        def pair(text: str) -> None:
            project.step(
                "make",
                "import sys; open(sys.argv[1], 'w').write(sys.argv[2])",
                outputs=[data],
                arguments=[data, text],
            )
            project.step(
                "show", "import sys; print(open(sys.argv[1]).read())", inputs=[data], arguments=[data]
            )

        pair.expand(text=["one", "two"])
    run = project.run(dag)
    assert not run.failed, states(run)
    store = project.workspace.record_store()
    for index, text in enumerate((b"one\n", b"two\n")):
        assert store.read(f"{project.record(run, 'pair.show', index).try_folder}/stdout.log") == text


def test_data_of_mapped_steps_is_refused_where_it_cannot_work(project: Project) -> None:
    from mlsteps.exceptions import PipelineValidationError

    project.script("each.py")
    data, part = PipelineData("data"), PipelineData("part")
    with DAG("mapped_refused") as dag:
        with pytest.raises(
            PipelineValidationError, match="Step 'each', argument 'inputs': 'data' is made by no step"
        ):
            PythonScriptStep.partial("each.py", "each", source_directory=project.source, inputs=[data])
        PythonScriptStep.partial("each.py", "each", source_directory=project.source, outputs=[part]).expand(
            arguments=[["1"]]
        )
        project.step("use", inputs=[part])
    with pytest.raises(PipelineValidationError, match="outputs of a mapped step are read through XCom"):
        dag.resolve_template_files()


def _with_variables(variables: dict[str, str]) -> RunConfiguration:
    configuration = RunConfiguration()
    configuration.environment_variables = variables
    return configuration


def _size_of_xcoms(dag_id: str, task_id: str) -> int:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(XComModel).filter_by(dag_id=dag_id, task_id=task_id).all()
        assert found
        return max(len(json.dumps(x.value)) for x in found)


def _rendered_fields(dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    with create_session() as session:
        found = (
            session.query(RenderedTaskInstanceFields)
            .filter_by(dag_id=dag_id, run_id=run_id, task_id=task_id)
            .one()
        )
        return dict(found.rendered_fields)
