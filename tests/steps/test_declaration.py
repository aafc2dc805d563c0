"""Steps as they are declared in a DAG file: names, arguments, order, form fields, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Param, TaskGroup, task
from airflow.sdk.exceptions import AirflowDagCycleException

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Datastore,
    LocalCompute,
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    StepSequence,
    Workspace,
)
from mlsteps.exceptions import (
    PipelineParameterError,
    PipelineValidationError,
    StepDefinitionError,
    UserErrorException,
)
from steps.project import Project, edges


def complete(dag: DAG) -> None:
    """What Airflow does with a DAG when it has read the file."""
    dag.validate()
    dag.check_cycle()
    dag.resolve_template_files()


# Names


@pytest.mark.smoke
def test_step_is_named_like_its_script(project: Project) -> None:
    project.script("sub/train.py")
    with DAG("named_like_script") as dag:
        step = PythonScriptStep("sub/train.py", source_directory=project.source)
    assert step.name == "sub/train.py"
    assert step.task_id == "sub_train.py"
    assert dag.get_task("sub_train.py").task_display_name == "sub/train.py"


def test_name_that_is_no_task_id_becomes_one_and_stays_the_display_name(project: Project) -> None:
    with DAG("odd_names") as dag:
        first = project.step("Train me ")
        second = project.step("Train & evaluate")
        third = project.step("  ünï  ")
        fourth = project.step("訓練")
        plain = project.step("plain-name.v1")
    assert [s.task_id for s in (first, second, third, fourth)] == ["Train_me", "Train_evaluate", "n", "step"]
    assert [s.name for s in (first, fourth)] == ["Train me ", "訓練"]
    assert first.task_display_name == "Train me "
    assert plain.task_id == plain.task_display_name == "plain-name.v1"
    assert len(dag.task_ids) == 5


def test_long_name_is_cut_to_what_airflow_takes(project: Project) -> None:
    project.script("t.py")
    with DAG("long_name"):
        step = PythonScriptStep("t.py", "x" * 400, source_directory=project.source)
    assert step.task_id == "x" * 200


def test_two_steps_with_one_name_are_two_tasks(project: Project) -> None:
    with DAG("one_name") as dag:
        ids = [project.step("train").task_id for _ in range(3)]
    assert ids == ["train", "train__1", "train__2"]
    assert {t.task_display_name for t in dag.tasks} == {"train"}


def test_steps_in_task_groups_have_ids_of_their_own(project: Project) -> None:
    data = PipelineData("data")
    with DAG("grouped") as dag:
        with TaskGroup("one"):
            project.step("make", outputs=[data])
        with TaskGroup("two"):
            project.step("use", inputs=[data])
            project.step("make")
            project.step("make")
    assert set(dag.task_ids) == {"one.make", "two.use", "two.make", "two.make__1"}
    assert edges(dag) == {("one.make", "two.use")}


@pytest.mark.parametrize("name", ["", "  ", 3])
def test_step_needs_a_name(project: Project, name: Any) -> None:
    project.script("a.py")
    with pytest.raises(StepDefinitionError, match="argument 'name'|expected a text"):
        PythonScriptStep("a.py", name=name or " ", source_directory=project.source)


# How a step is called


def test_first_arguments_may_be_given_by_position(project: Project) -> None:
    project.script("a.py")
    step = PythonScriptStep("a.py", "first", ["--x", 1], source_directory=project.source)
    assert (step.script_name, step.name, step.arguments) == ("a.py", "first", ["--x", "1"])


def test_argument_given_twice_or_too_many_is_refused(project: Project) -> None:
    project.script("a.py")
    with pytest.raises(TypeError, match="'name' twice"):
        PythonScriptStep("a.py", "first", name="second", source_directory=project.source)
    with pytest.raises(TypeError, match="by position"):
        PythonScriptStep(*range(30))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'params' twice"):
        PythonScriptStep("a.py", source_directory=project.source, params={}, script_params={})


def test_params_are_environment_variables_not_form_fields(project: Project) -> None:
    with DAG("params") as dag:
        step = project.step("a", params={"lr": 0.1, "flag": True})
    assert step.script_params == {"lr": "0.1", "flag": "True"}
    assert "lr" not in dag.params


def test_airflow_arguments_are_taken_too(project: Project) -> None:
    with DAG("airflow_arguments", default_args={"retries": 4, "pool": "gpu"}):
        step = project.step("a", queue="big", trigger_rule="all_done")
    assert (step.retries, step.pool, step.queue, step.trigger_rule) == (4, "gpu", "big", "all_done")


def test_lists_of_the_caller_are_neither_changed_nor_watched(project: Project) -> None:
    data, output = PipelineData("data"), OutputFileDatasetConfig("output")
    arguments: list[Any] = ["--in", data, "--out", output]
    inputs, outputs = [data], [PipelineData("other")]
    step = project.step("a", arguments=arguments, inputs=inputs, outputs=outputs)
    assert (len(arguments), len(inputs), len(outputs)) == (4, 1, 1)
    arguments.append("late")
    inputs.clear()
    again = step.declared_again(task_id="again")
    assert again.arguments == step.arguments == ["--in", str(data), "--out", output.arg_val]
    assert len(again.input_ports) == 1


# Folders and scripts


@pytest.mark.parametrize("spelling", ["scripts", "./scripts", ".\\scripts", Path("scripts")])
def test_source_directory_is_found_beside_the_working_directory(
    project: Project, monkeypatch: pytest.MonkeyPatch, spelling: Any
) -> None:
    (project.root / "scripts").mkdir()
    (project.root / "scripts" / "a.py").touch()
    monkeypatch.chdir(project.root)
    step = PythonScriptStep("a.py", source_directory=spelling)
    assert step.source_directory == project.root / "scripts"


def test_source_directory_is_relative_to_the_dag_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.script("jobs/a.py")
    file = project.source / "dag_file.py"
    file.write_text(
        "from airflow.sdk import DAG\n"
        "from mlsteps import PythonScriptStep\n"
        "with DAG('beside') as dag:\n"
        "    named = PythonScriptStep('a.py', source_directory='jobs')\n"
        "    absent = PythonScriptStep('jobs/a.py')\n"
        "    windows = PythonScriptStep('jobs\\\\a.py', source_directory='.')\n"
    )
    monkeypatch.chdir("/")
    scope: dict[str, Any] = {"__name__": "dag_file"}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    assert scope["named"].source_directory == project.source / "jobs"
    assert scope["absent"].source_directory == project.source
    assert scope["windows"].script_name == "jobs/a.py"


def test_missing_source_directory_is_refused(project: Project) -> None:
    with pytest.raises(StepDefinitionError, match=r"Step 'a', argument 'source_directory': '.*nowhere'"):
        PythonScriptStep("a.py", "a", source_directory=project.root / "nowhere")


def test_missing_script_is_refused(project: Project) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'a', argument 'script_name': script not found"):
        PythonScriptStep("a.py", "a", source_directory=project.source)
    with DAG("missing_script"), pytest.raises(StepDefinitionError, match="script not found"):
        PythonScriptStep("no_such_script.py", "a")


@pytest.mark.parametrize("script", ["../a.py", "sub/../../a.py", "/etc/passwd"])
def test_script_outside_of_the_source_directory_is_refused(project: Project, script: str) -> None:
    (project.root / "a.py").touch()
    with pytest.raises(StepDefinitionError, match="not inside the source directory"):
        PythonScriptStep(script, source_directory=project.source)


@pytest.mark.parametrize("script", ["", None, 3])
def test_script_name_must_be_a_text(project: Project, script: Any) -> None:
    with pytest.raises(StepDefinitionError, match="argument 'script_name': expected a text"):
        PythonScriptStep(script, source_directory=project.source)


# Compute targets


def test_unknown_compute_target_is_refused_where_it_can_be_known(project: Project) -> None:
    with (
        DAG("unknown_target"),
        pytest.raises(StepDefinitionError, match="Step 'a', argument 'compute_target': 'gpu'.*knows local"),
    ):
        project.step("a", compute_target="gpu")
    with pytest.raises(StepDefinitionError, match="'gpu' is not a compute target"):
        project.step("b", compute_target="gpu", workspace=project.workspace)
    with DAG("unknown_runconfig_target"), pytest.raises(StepDefinitionError, match="'cluster'"):
        runconfig = RunConfiguration()
        runconfig.target = "cluster"
        project.step("c", runconfig=runconfig)


def test_compute_target_of_a_connection_is_not_looked_up_while_parsing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSTEPS_WORKSPACE")
    with DAG("not_looked_up"):
        project.step("a", compute_target="gpu", workspace=Workspace(conn_id="nowhere"))


def test_compute_target_may_be_a_pair_or_an_object(project: Project) -> None:
    with DAG("target_kinds"):
        assert project.step("pair", compute_target=("local", "AmlCompute")).compute_target == "local"
        assert isinstance(project.step("object", compute_target=LocalCompute()).compute_target, LocalCompute)
        with pytest.raises(
            StepDefinitionError, match="'compute_target': expected a compute target or its name"
        ):
            project.step("number", compute_target=3)


# Order


@pytest.mark.smoke
def test_order_comes_from_data_whichever_step_is_first(project: Project) -> None:
    for number, reverse in enumerate((False, True)):
        model, table = PipelineData("model"), OutputFileDatasetConfig("table")
        parts = [
            ("prepare", {"outputs": [table]}),
            ("train", {"inputs": [table.as_input("rows")], "outputs": [model]}),
            ("test", {"inputs": [model.as_download(), table.as_input()]}),
            ("show", {"arguments": ["--table", table.as_input("again")], "inputs": [model.as_mount("m")]}),
        ]
        with DAG(f"order_{number}") as dag:
            for name, arguments in reversed(parts) if reverse else parts:
                project.step(name, **arguments)
        complete(dag)
        assert edges(dag) == {
            ("prepare", "train"),
            ("prepare", "test"),
            ("prepare", "show"),
            ("train", "test"),
            ("train", "show"),
        }
        assert dag.task_dict["test"].upstream_task_ids == {"train", "prepare"}


def test_copies_of_an_output_configuration_are_the_same_data(project: Project) -> None:
    table = OutputFileDatasetConfig("table")
    with DAG("copies") as dag:
        project.step("use", inputs=[table.as_input("a")])
        project.step("make", outputs=[table.as_upload(overwrite=True)])
        project.step("bare", inputs=[table])
    assert edges(dag) == {("make", "use"), ("make", "bare")}


def test_run_after_orders_steps_without_data(project: Project) -> None:
    with DAG("run_after") as dag:
        first, second = project.step("first"), project.step("second")
        assert second.run_after(first) is None
        second.run_after(first)
    assert edges(dag) == {("first", "second")}
    with DAG("other_dag"):
        other = project.step("other")
    for step in (other, project.step("no_dag")):
        with pytest.raises(StepDefinitionError, match="'run_after': step '.*' is not in the same DAG"):
            second.run_after(step)
    with pytest.raises(StepDefinitionError, match="'run_after': expected a step, got list"):
        second.run_after([first])


def test_sequence_orders_the_steps_of_a_dag(project: Project) -> None:
    with DAG("sequence") as dag:
        a, b, c, d, e = (project.step(name) for name in "abcde")
        StepSequence([[a, b], c, StepSequence([d, e])])
    assert edges(dag) == {("a", "c"), ("b", "c"), ("c", "d"), ("c", "e"), ("d", "e")}


def test_cycles_are_refused_when_they_are_closed(project: Project) -> None:
    x, y, z = PipelineData("x"), PipelineData("y"), PipelineData("z")
    with (
        DAG("own_output"),
        pytest.raises(StepDefinitionError, match="Step 'a', argument 'inputs': 'x' is its own"),
    ):
        project.step("a", inputs=[x], outputs=[x])
    x = PipelineData("x")
    with DAG("data_cycle"):
        project.step("a", inputs=[x], outputs=[y])
        project.step("b", inputs=[y], outputs=[z])
        with pytest.raises(
            StepDefinitionError, match="Step 'c', argument 'inputs': step 'b' already comes after"
        ):
            project.step("c", inputs=[z], outputs=[x])
    with DAG("run_after_cycle"):
        first, second = project.step("a"), project.step("b")
        second.run_after(first)
        with pytest.raises(StepDefinitionError, match="Step 'a', argument 'run_after'.*cycle"):
            first.run_after(second)
        with pytest.raises(StepDefinitionError, match="Step 'a', argument 'run_after'.*cycle"):
            first.run_after(first)
        with pytest.raises(StepDefinitionError, match="cycle"):
            StepSequence([second, first])
    with DAG("arrows") as dag:
        first, second = project.step("a"), project.step("b")
        first >> second >> first
    with pytest.raises(AirflowDagCycleException):
        complete(dag)


# Inputs and outputs


def test_output_with_two_makers_is_refused(project: Project) -> None:
    data = PipelineData("data")
    with DAG("two_makers"):
        project.step("a", outputs=[data])
        with pytest.raises(
            PipelineValidationError, match="Step 'b', argument 'outputs': 'data' .* of step 'a'"
        ):
            project.step("b", outputs=[data])
    with DAG("another_dag"):
        project.step("c", outputs=[data])


def test_step_whose_declaration_failed_makes_nothing(project: Project) -> None:
    data = PipelineData("data")
    with DAG("second_try"):
        with pytest.raises(StepDefinitionError):
            PythonScriptStep("typo.py", "a", outputs=[data], source_directory=project.source)
        project.step("b", outputs=[data])


def test_input_that_nobody_makes_is_refused_when_the_dag_is_complete(project: Project) -> None:
    with DAG("nobody") as dag:
        project.step("a", inputs=[PipelineData("data")])
    with pytest.raises(
        PipelineValidationError, match="Step 'a', argument 'inputs': 'data' is made by no step"
    ):
        complete(dag)


@pytest.mark.parametrize("name", ["with-dash", "with blank", "", "ü", "a.b"])
def test_invalid_output_name_is_refused(name: str) -> None:
    with pytest.raises(UserErrorException, match="letters, digits, and underscores"):
        PipelineData(name)
    with pytest.raises(UserErrorException, match="letters, digits, and underscores"):
        PipelineData("x", output_name=name or " ")


@pytest.mark.parametrize("name", ["1st", "with-dash", "with blank"])
def test_invalid_output_configuration_name_is_refused(name: str) -> None:
    with pytest.raises(UserErrorException, match="not starting with a digit"):
        OutputFileDatasetConfig(name)


def test_output_cannot_have_the_name_of_airflows_own_xcom(project: Project) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'a', argument 'outputs': the name 'return_value'"):
        project.step("a", outputs=[PipelineData("return_value")])


def test_repeated_port_names_are_refused(project: Project) -> None:
    one, two = PipelineData("data"), PipelineData("data")
    with pytest.raises(
        StepDefinitionError, match="Step 'a', argument 'outputs': the name 'data' is used twice"
    ):
        project.step("a", outputs=[one, two])
    with pytest.raises(
        StepDefinitionError, match="Step 'a', argument 'inputs': the name 'data' is used twice"
    ):
        project.step("a", inputs=[one, two])
    table = OutputFileDatasetConfig("table")
    with pytest.raises(StepDefinitionError, match="'inputs': an output is called 'table' too"):
        project.step(
            "a", inputs=[PipelineData("x"), OutputFileDatasetConfig("y").as_input("table")], outputs=[table]
        )


def test_input_that_is_called_like_an_output_is_renamed(project: Project) -> None:
    before, after = PipelineData("data"), PipelineData("data")
    step = project.step("a", inputs=[before], outputs=[after], arguments=[after, "--old", "x"])
    assert [port.name for port in step.input_ports] == ["INPUT_data"]
    assert step.input_ports[0].variable == "AZUREML_DATAREFERENCE_INPUT_data"


@pytest.mark.parametrize("argument", ["inputs", "outputs"])
@pytest.mark.parametrize("value", ["data", 3, {"a": 1}, PipelineData("alone"), [3], ["text"], [None]])
def test_what_is_no_data_is_refused(project: Project, argument: str, value: Any) -> None:
    with pytest.raises(StepDefinitionError, match=f"Step 'a', argument '{argument}'"):
        project.step("a", **{argument: value})


def test_reference_for_uploads_is_no_input(project: Project) -> None:
    reference = DataReference(Datastore(project.workspace), "raw", "raw").as_upload()
    with pytest.raises(StepDefinitionError, match="'raw' has the mode upload"):
        project.step("a", inputs=[reference])


# Parameters


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("default", "kind"), [(0.5, "number"), (3, "integer"), (True, "boolean"), ("adam", "string")]
)
def test_parameter_becomes_a_form_field(project: Project, default: Any, kind: str) -> None:
    with DAG(f"form_{kind}") as dag:
        project.step("a", arguments=["--p", PipelineParameter("p", default)])
    field = dag.params.get_param("p")
    assert (field.value, field.schema["type"], field.schema["title"]) == (default, kind, "p")


def test_a_form_field_says_what_its_parameter_does(project: Project) -> None:
    parameters = [
        PipelineParameter("size", "s", choices=["s", "l"], title="The size", description="How *big*"),
        PipelineParameter("rate", 0.5, minimum=0, maximum=1),
        PipelineParameter("where", DataPath(Datastore(project.workspace, "workspaceblobstore"), "raw")),
    ]
    with DAG("told") as dag:
        project.step("a", arguments=parameters[:2], inputs=[(parameters[2], DataPathComputeBinding())])
    size, rate, where = (dag.params.get_param(name).schema for name in ("size", "rate", "where"))
    assert (size["title"], size["description_md"], size["enum"]) == ("The size", "How *big*", ["s", "l"])
    assert (rate["title"], rate["minimum"], rate["maximum"]) == ("rate", 0, 1)
    for value, good in (("/raw", True), ("store/", True), ("raw", False), ("my store/raw", False)):
        dag.params["where"] = "workspaceblobstore/x"
        if good:
            dag.params["where"] = value
        else:
            with pytest.raises(ValueError, match="does not match"):
                dag.params["where"] = value
    assert "datastore/path" in where["description_md"]


def test_a_form_field_says_what_may_be_written_beside_what_its_author_says(project: Project) -> None:
    path = DataPath(Datastore(project.workspace, "workspaceblobstore"), "raw")
    told = {
        "both": (
            PipelineParameter("both", 1, minimum=0, maximum=9, description="How *many*"),
            "From 0 to 9.",
        ),
        "least": (PipelineParameter("least", 0.5, minimum=0), "At least 0."),
        "most": (PipelineParameter("most", 0.5, maximum=1), "At most 1."),
        "path": (PipelineParameter("path", path, description="What to read"), "datastore/path."),
    }
    parameters = [parameter for parameter, _ in told.values()]
    with DAG("beside") as dag:
        project.step("a", arguments=parameters[:3], inputs=[(parameters[3], DataPathComputeBinding())])
    for name, (parameter, allowed) in told.items():
        description = dag.params.get_param(name).schema["description_md"]
        assert description.startswith(parameter.description or "")
        assert description.endswith(allowed)


def test_a_text_that_is_empty_by_default_may_be_empty_in_the_form(project: Project) -> None:
    with DAG("empty") as dag:
        project.step("a", arguments=[PipelineParameter("note", ""), PipelineParameter("word", "x")])
    assert dag.params.get_param("note").schema["type"] == ["string", "null"]
    assert dag.params.get_param("word").schema["type"] == "string"


def test_data_path_parameter_becomes_a_text_field(project: Project) -> None:
    path = DataPath(Datastore(project.workspace, "workspaceblobstore"), "raw/a.csv", name="raw")
    pair = (PipelineParameter("source-data", path), DataPathComputeBinding("download"))
    with DAG("data_path") as dag:
        step = project.step("a", arguments=[pair], inputs=[pair])
    assert dag.params["source-data"] == "workspaceblobstore/raw/a.csv"
    assert step.arguments == ["$AZUREML_DATAREFERENCE_raw"]


def test_unnamed_data_path_gets_a_variable_that_a_shell_takes(project: Project) -> None:
    pair = (PipelineParameter("source data", DataPath(None, "raw")), DataPathComputeBinding())
    step = project.step("a", inputs=[pair], arguments=[pair])
    assert step.arguments == ["$AZUREML_DATAREFERENCE_source_data"]


def test_authors_own_form_field_is_kept(project: Project) -> None:
    own = Param(7, type="integer", minimum=5, description="mine")
    with DAG("own_field", params={"p": own}) as dag:
        project.step("a", arguments=[PipelineParameter("p", 1)])
        project.step("b", arguments=[PipelineParameter("p", 2)])
    assert dag.params.get_param("p").schema["minimum"] == 5
    assert dag.params["p"] == 7


@pytest.mark.parametrize(("one", "two"), [(1, 2), (1, True), (1, 1.0), ("1", 1), (0, False)])
def test_two_defaults_of_one_parameter_are_refused(project: Project, one: Any, two: Any) -> None:
    pair = [PipelineParameter("p", one), PipelineParameter("p", two)]
    with pytest.raises(StepDefinitionError, match="Step 'a', .*'p' has two defaults"):
        project.step("a", arguments=pair)
    with DAG("two_defaults"):
        project.step("a", arguments=pair[:1])
        with pytest.raises(
            PipelineParameterError, match="Step 'b': the pipeline parameter 'p' has the default"
        ):
            project.step("b", arguments=pair[1:])


def test_two_sets_of_choices_are_refused(project: Project) -> None:
    pair = [PipelineParameter("p", 1), PipelineParameter("p", 1, choices=[1, 2])]
    with pytest.raises(StepDefinitionError, match="Step 'a', .*'p' has two sets of choices"):
        project.step("a", arguments=pair)
    with DAG("two_sets"):
        project.step("a", arguments=pair[:1])
        with pytest.raises(PipelineParameterError, match="Step 'b': .*'p' has other choices"):
            project.step("b", arguments=pair[1:])


def test_equal_defaults_are_one_parameter(project: Project) -> None:
    with DAG("equal_defaults") as dag:
        project.step("a", arguments=[PipelineParameter("p", 1)], params={"p": PipelineParameter("p", 1)})
        project.step("b", arguments=[PipelineParameter("p", 1)])
    assert dag.params["p"] == 1


def test_parameters_that_cannot_be_told_apart_are_refused(project: Project) -> None:
    pair = [PipelineParameter("a-b", 1), PipelineParameter("a_b", 1)]
    with pytest.raises(StepDefinitionError, match="share the environment variable AML_PARAMETER_a_b"):
        project.step("a", arguments=pair)
    with pytest.raises(StepDefinitionError, match="argument 'params': 'a.b' is already in use"):
        project.step("a", arguments=pair[:1], params={"a.b": "5"})
    with pytest.raises(StepDefinitionError, match="no pipeline parameter can be called 'mlsteps'"):
        project.step("a", arguments=[PipelineParameter("mlsteps", 1)])


def test_only_some_settings_of_a_run_configuration_can_be_parameters(project: Project) -> None:
    nodes = PipelineParameter("nodes", 2)
    step = project.step("a", runconfig_pipeline_params={"NodeCount": nodes})
    assert [p.name for p in step.pipeline_parameters] == ["nodes"]
    with pytest.raises(
        StepDefinitionError, match="'runconfig_pipeline_params': 'Target' is not one of NodeCount"
    ):
        project.step("a", runconfig_pipeline_params={"Target": nodes})


# Serialization


def serialized(dag: DAG) -> dict[str, Any]:
    try:
        from airflow.serialization.serialized_objects import DagSerialization

        written: dict[str, Any] = DagSerialization.serialize_dag(dag)
    except ImportError:  # 3.1
        from airflow.serialization.serialized_objects import SerializedDAG

        written = SerializedDAG.serialize_dag(dag)
    return written


@pytest.mark.smoke
def test_two_builds_of_one_file_serialize_to_the_same_text(project: Project) -> None:
    def build() -> DAG:
        store = Datastore(project.workspace)
        raw, model = DataReference(store, "raw", "raw/a.csv"), PipelineData("model", datastore=store)
        table, rate = OutputFileDatasetConfig("table", (store, "t/{run-id}")), PipelineParameter("rate", 0.1)
        with DAG("stable") as dag:
            train = project.step(
                "train",
                inputs=[table.as_input("rows")],
                outputs=[model],
                arguments=["--rate", rate, "--model", model, f"{rate}/x"],
                params={"rate": rate, "other": 5},
                compute_target=LocalCompute(pass_environment=["X"]),
                runconfig=RunConfiguration(),
            )
            project.step("prepare", inputs=[raw], outputs=[table])
            project.script("each.py")
            PythonScriptStep.partial(
                script_name="each.py",
                source_directory=project.source,
                inputs=[model],
                outputs=[PipelineData("part")],
                runconfig=RunConfiguration(),
                compute_target=LocalCompute(),
            ).expand(arguments=[["1"], ["2"]])

            @task
            def look(reference: Any) -> None: ...

            look(train.outputs["model"])
        return dag

    one, two = (json.dumps(serialized(build()), sort_keys=True, default=str) for _ in range(2))
    assert one == two
    assert " at 0x" not in one


def test_inputs_given_as_a_set_have_a_stable_order(project: Project) -> None:
    data = {PipelineData(name) for name in "dbeca"}
    assert [port.name for port in project.step("a", inputs=data).input_ports] == list("abcde")


def test_importing_and_building_stays_light(project: Project) -> None:
    project.script("a.py")
    heavy = ["docker", "kubernetes", "azure", "databricks", "pandas", "rich", "pathspec", "yaml", "uv"]
    code = f"""
import sys
import airflow.sdk
before = set(sys.modules)
from mlsteps import *
from mlsteps.steps import PythonScriptStep
model = PipelineData("model")
steps = [PythonScriptStep("a.py", str(n), source_directory={str(project.source)!r}) for n in range(3)]
steps.append(PythonScriptStep("a.py", "x", outputs=[model], source_directory={str(project.source)!r}))
Pipeline(Workspace(folder={str(project.folder)!r}), steps).to_dag("light")
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
found = sorted(new & set({heavy!r}))
assert not found, found
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
