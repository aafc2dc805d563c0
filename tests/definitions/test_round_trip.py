"""A pipeline and the one made from its definition: the same graph, the same arguments, the same keys."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, TriggerRule, task

from definitions.conftest import again, key_of, shape
from mlsteps import (
    CondaDependencies,
    DatabricksCompute,
    DatabricksStep,
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Dataset,
    DatasetConsumptionConfig,
    Datastore,
    DataTransferStep,
    Environment,
    LocalCompute,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    SqlDataReference,
    StepSequence,
    Workspace,
)
from mlsteps.data.sql.parameter import StoredProcedureParameter
from mlsteps.environment import JarLibrary, PyPiLibrary
from mlsteps.exceptions import StepDefinitionError
from steps.project import Project


def arguments_of(pipeline: Pipeline, name: str) -> dict[str, Any]:
    step = next(step for step in pipeline.graph.steps if step.name == name)
    left_out = ("source_directory", "frozen_code")
    return {key: value for key, value in step.declared_arguments.items() if key not in left_out}


def test_steps_with_data_parameters_and_order(project: Project) -> None:
    store = Datastore(project.workspace)
    raw, model = DataReference(store, "raw", "in/raw"), PipelineData("model", is_directory=True)
    report = OutputFileDatasetConfig("report", (store, "out/{run-id}")).register_on_complete(
        "rep", tags={"a": "b"}
    )
    rate, path = PipelineParameter("rate", 0.1), PipelineParameter("where", DataPath(store, "a/b", "x"))
    train = project.step(
        "train",
        inputs=[raw, (path, DataPathComputeBinding("download"))],
        outputs=[model],
        arguments=["--raw", raw, "--rate", rate, "--n", 3, "--f", 0.5, f"--all={model}", None],
        params={"seed": 1, "rate": rate},
        retries=2,
        retry_delay=timedelta(seconds=90.5),
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[Asset("done", "s3://x/done")],
        version="7",
    )
    check = project.step("check", inputs=[model.as_download("m")], outputs=[report.as_upload(overwrite=True)])
    tell = project.step("tell", inputs=[report.as_input("r").as_download()], on_reuse="success")
    last = project.step("last")
    last.run_after(tell)
    first = project.step("first")
    pipeline = Pipeline(
        project.workspace, [StepSequence([first, train]), check, last], "all of it", store, on_reuse="skip"
    )
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    assert (made.description, made.on_reuse) == ("all of it", "skip")
    assert str(project.root) not in pipeline.definition().text
    given, got = arguments_of(pipeline, "train"), arguments_of(made, "train")
    assert list(given) == list(got)
    plain = ("retries", "retry_delay", "trigger_rule", "version", "outlets", "name", "script_name")
    assert {name: got[name] for name in plain} == {name: given[name] for name in plain}
    assert got["arguments"][1] is got["inputs"][0]
    assert got["arguments"][3] is got["script_params"]["rate"]


def test_keys_are_those_of_the_source_directory(project: Project) -> None:
    project.script("lib/helper.py", "x = 1")
    project.script("notes.txt", "not code")
    project.script(".amlignore", "*.txt\n.amlignore\n")
    project.script(".gitignore", "helper.py\n")
    (project.root / "beside.yaml").write_text("a: 1")
    data = project.workspace.config.datastores["workspaceblobstore"].folder / "raw"
    data.mkdir(parents=True)
    (data / "a.csv").write_text("1")
    raw = Datastore(project.workspace).path("raw")
    rate = PipelineParameter(
        "rate", 1, title="Rate", description="words", choices=[1, 2], minimum=0, maximum=9
    )
    config = RunConfiguration(conda_dependencies=CondaDependencies.create(python_version=None))
    config.environment_variables = {"A": "b", "TOKENIZERS_PARALLELISM": "false"}
    one = project.step(
        "one", inputs=[raw], arguments=[raw, rate], hash_paths=["../beside.yaml"], runconfig=config
    )
    two = project.step("two", source_files=["lib/", "!lib/nothing.py"], outputs=[PipelineData("o")])
    pipeline = Pipeline(project.workspace, [one, two])
    made = again(pipeline)
    found = made.parameters["rate"]
    assert (found.title, found.description, found.limits) == (rate.title, rate.description, rate.limits)
    before = {name: key_of(pipeline, name, rate=5) for name in ("one", "two")}
    assert {name: key_of(made, name, rate=5) for name in before} == before
    project.script("lib/helper.py", "x = 2")  # what was published stays
    (project.root / "beside.yaml").write_text("a: 2")
    assert {name: key_of(made, name, rate=5) for name in before} == before
    assert key_of(pipeline, "one", rate=5).code != before["one"].code


def test_transfers(project: Project) -> None:
    store, sql = Datastore(project.workspace), Datastore(project.workspace, "db")
    out = DataTransferStep(
        "rows",
        SqlDataReference(
            sql,
            "q",
            sql_stored_procedure="dbo.p",
            sql_stored_procedure_params=[StoredProcedureParameter("@a", "5", "Int")],
        ),
        store.path("rows.parquet"),
        file_format="parquet",
    )
    where = PipelineParameter("where", DataPath(store, "to"))
    copy = DataTransferStep(
        "copy", out.get_output(), (where, DataPathComputeBinding()), "adf", "FILE", mirror=True, parallel=3
    )
    pipeline = Pipeline(project.workspace, [copy])
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    step = made.graph.steps[1]
    assert vars(step.options) == vars(copy.options)
    assert step.source_kind == "file"


def test_databricks_steps(project: Project) -> None:
    target, out = DatabricksCompute("dbx"), PipelineData("out")
    project.script("s.py")
    config = RunConfiguration()
    config.environment.databricks.pypi_libraries = [PyPiLibrary("six")]
    n = PipelineParameter("n", 3)
    book = DatabricksStep(
        "book",
        outputs=[out],
        notebook_path="/a",
        notebook_params={"n": n, "x": "y"},
        num_workers=1,
        spark_conf={"a": "b"},
        runconfig=config,
        compute_target=target,
        cluster_options={"policy_id": "p"},
    )
    upload = DatabricksStep(
        "upload",
        [out],
        python_script_name="s.py",
        source_directory=project.source,
        serverless=True,
        python_script_params=[n, "z"],
        compute_target=target,
        deferrable=False,
    )
    jar = DatabricksStep(
        "jar",
        main_class_name="a.B",
        jar_params={"one", "two"},
        existing_cluster_id="c-1",
        jar_libraries=[JarLibrary("dbfs:/j.jar")],
        compute_target=target,
        permit_cluster_restart=True,
    )
    pipeline = Pipeline(project.workspace, [book, upload, jar])
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    for mine, theirs in zip(made.graph.steps, pipeline.graph.steps, strict=True):
        assert mine.databricks_task == theirs.databricks_task
        assert mine.arguments == theirs.arguments
        assert repr(mine.compute_target) == repr(theirs.compute_target)


def test_datasets(project: Project) -> None:
    store = Datastore(project.workspace)
    files = Dataset.File.from_files((store, "x/*.csv")).register(project.workspace, "files", "d", {"t": "u"})
    rows = Dataset.Tabular.from_delimited_files((store, "y.csv"))
    rows = rows.filter(rows["age"] > 3).keep_columns(["age"])
    web = Dataset.File.from_files("https://example.com/a.csv")
    mine = PipelineData("mine").as_dataset().parse_delimited_files(separator=";").register("made")
    which = PipelineParameter("which", files)
    later = DatasetConsumptionConfig("later", (project.workspace, "files"), "mount")
    one = project.step(
        "one",
        inputs=[rows.as_named_input("rows"), web.as_named_input("web").as_mount("/w"), later],
        outputs=[mine],
        arguments=[
            DatasetConsumptionConfig("which", which, "download"),
            files.as_named_input("f").as_mount(),
        ],
    )
    two = project.step("two", inputs=[mine.as_named_input("m")])
    pipeline = Pipeline(project.workspace, [one, two])
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    got = arguments_of(made, "one")
    assert got["inputs"][0].dataset == rows
    assert got["inputs"][2].dataset == (project.workspace, "files")
    assert made.parameters["which"].default_value.tags == {"t": "u"}
    assert Dataset.get_by_id(project.workspace, rows.id) == rows


def test_environments_are_frozen(project: Project) -> None:
    (project.root / "conda.yml").write_text("dependencies: [python=3.10, {pip: [six==1.16]}]")
    (project.root / "Dockerfile").write_text("FROM python:3.11\n")
    (project.root / "Dockerfile.py").touch()
    Environment.from_conda_specification("conda", project.root / "conda.yml").register(project.workspace)
    config = RunConfiguration()
    config.environment = Environment.get(project.workspace, "conda")
    built = RunConfiguration()
    built.environment = Environment.from_dockerfile("built", project.root / "Dockerfile")
    curated = RunConfiguration()
    curated.environment = Environment.get(project.workspace, "AzureML-Minimal")
    curated.max_run_duration_seconds = 60
    steps = [project.step(str(number), runconfig=one) for number, one in enumerate((config, built, curated))]
    pipeline = Pipeline(project.workspace, steps)
    made = again(pipeline)
    (project.root / "Dockerfile").unlink()
    first, second, third = (step.run_configuration for step in made.graph.steps)
    assert (first.environment.name, first.environment.version) == ("conda", "1")
    assert first.environment.python.conda_dependencies.pip_packages == ["six==1.16"]
    assert second.environment.docker.base_dockerfile == "FROM python:3.11\n"
    assert second.environment.docker.base_image is None
    assert (third.environment.name, third.max_run_duration_seconds) == ("AzureML-Minimal", 60)


def test_compute_targets_by_name_or_settings(project: Project) -> None:
    by_name = project.workspace.compute_targets["local"]
    steps = [
        project.step("made", compute_target=LocalCompute("mine", ["A"], input_cache_gb=2.5)),
        project.step("found", compute_target=by_name),
        project.step("named", compute_target="local"),
    ]
    made, found, named = again(Pipeline(project.workspace, steps)).graph.steps
    assert repr(made.compute_target) == repr(steps[0].compute_target)
    assert (found.compute_target, named.compute_target) == ("local", "local")


class OwnStep(PythonScriptStep):
    pass


class OwnCompute(LocalCompute):
    pass


def policy(context: Any) -> None:
    pass


def credential() -> RunConfiguration:
    made = RunConfiguration()
    made.environment.python.conda_dependencies.set_pip_option("--extra-index-url https://u:pw@host/simple")
    return made


def secret() -> RunConfiguration:
    made = RunConfiguration()
    made.environment_variables = {"API_TOKEN": "hush"}
    return made


@pytest.mark.parametrize(
    ("argument", "problem", "given"),
    [
        ("on_failure_callback", "'policy' is code", lambda: {"on_failure_callback": policy}),
        (r"arguments\[1\]", "what a task of some DAG returns", lambda: {"arguments": ["--x", returned()]}),
        ("compute_target", "'local' is a OwnCompute", lambda: {"compute_target": OwnCompute()}),
        ("runconfig", "credential in the URL of a package index", lambda: {"runconfig": credential()}),
        (
            "runconfig",
            "'API_TOKEN' of the variables .* looks like a secret",
            lambda: {"runconfig": secret()},
        ),
        ("executor_config.a", "an object of type object", lambda: {"executor_config": {"a": object()}}),
    ],
)
def test_what_cannot_be_published(project: Project, argument: str, problem: str, given: Any) -> None:
    step = project.step("bad", **{name: value for name, value in given().items() if name != "arguments"})
    step.__dict__["declared_arguments"] = {**step.declared_arguments, **given()}
    pipeline = Pipeline(project.workspace, [step])
    with pytest.raises(StepDefinitionError, match=f"Step 'bad', argument '{argument}.*{problem}") as error:
        pipeline.definition()
    assert "pw@" not in str(error.value)
    assert "hush" not in str(error.value)


def returned() -> Any:
    @task
    def number() -> int:
        return 1

    with DAG("elsewhere"):
        made = number()
    return made


def test_own_classes_and_other_workspaces_cannot_be_published(project: Project, tmp_path: Path) -> None:
    script = project.script("own.py")
    own = OwnStep(script, source_directory=project.source)
    with pytest.raises(StepDefinitionError, match="'own.py'.*OwnStep is a class of your own"):
        Pipeline(project.workspace, [own]).definition()
    other = Datastore(Workspace(folder=tmp_path / "other")).path("x")
    step = project.step("bad", inputs=[other])
    with pytest.raises(StepDefinitionError, match=r"'inputs\[0\].datastore.workspace': .* another workspace"):
        Pipeline(project.workspace, [step]).definition()


def test_the_text_is_json_without_code(project: Project) -> None:
    text = Pipeline(project.workspace, [project.step("a", arguments=[float("inf")])]).definition().text
    plain = json.loads(text)
    assert plain["steps"][0]["arguments"]["arguments"] == [{"kind": "float", "value": "inf"}]
    assert plain["steps"][0]["code"]["snapshot"].startswith("sha256")
