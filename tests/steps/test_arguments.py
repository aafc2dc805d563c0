"""What may stand in a step's arguments, and what becomes of it when the step is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, XComArg, task

from mlsteps import DataReference, Datastore, OutputFileDatasetConfig, PipelineData, PipelineParameter
from mlsteps.data import DatasetConsumptionConfig, InputPortBinding, OutputPortBinding
from mlsteps.exceptions import StepDefinitionError
from steps.project import Project


def test_plain_values_become_text(project: Project) -> None:
    values = ["text", 1, 0.5, True, None, Path("/a/b"), "", "-x", "a b"]
    step = project.step("a", arguments=values)
    assert step.arguments == ["text", "1", "0.5", "True", "None", "/a/b", "", "-x", "a b"]


def test_data_becomes_its_token(project: Project) -> None:
    store = Datastore(project.workspace, "workspaceblobstore")
    made, read = PipelineData("made", output_name="port"), PipelineData("read")
    raw, table, rows = (
        DataReference(store, "raw", "raw"),
        OutputFileDatasetConfig("table"),
        OutputFileDatasetConfig("rows"),
    )
    declared, bound = OutputPortBinding("declared"), read.as_download("bound")
    consumed = rows.as_input("consumed")
    step = project.step(
        "a",
        inputs=[raw, bound, consumed],
        outputs=[made, table, declared],
        arguments=[
            made,
            raw,
            read,
            bound,
            table,
            rows,
            consumed,
            declared,
            f"{made}/x",
            consumed.arg_val + "/y",
        ],
    )
    assert step.arguments == [
        "$AZUREML_DATAREFERENCE_port",
        "$AZUREML_DATAREFERENCE_raw",
        "$AZUREML_DATAREFERENCE_bound",
        "$AZUREML_DATAREFERENCE_bound",
        "DatasetOutputConfig:table",
        "DatasetConsumptionConfig:consumed",
        "DatasetConsumptionConfig:consumed",
        "$AZUREML_DATAREFERENCE_declared",
        "$AZUREML_DATAREFERENCE_port/x",
        "DatasetConsumptionConfig:consumed/y",
    ]


def test_output_configurations_and_their_inputs_need_not_be_listed(project: Project) -> None:
    made, read = OutputFileDatasetConfig("made"), OutputFileDatasetConfig("read")
    step = project.step("a", arguments=["--out", made, "--in", read.as_input("rows"), made])
    assert [port.name for port in step.output_ports] == ["made"]
    assert [port.name for port in step.input_ports] == ["rows"]


def test_binding_written_out_twice_is_one_input(project: Project) -> None:
    data, table, store = PipelineData("data"), OutputFileDatasetConfig("table"), Datastore(project.workspace)
    step = project.step(
        "a",
        inputs=[data.as_input("x"), table.as_input("y"), DataReference(store, "raw", "raw").as_mount()],
        arguments=[data.as_input("x"), table.as_input("y"), DataReference(store, "raw", "raw")],
    )
    assert [port.name for port in step.input_ports] == ["x", "y", "raw"]


@pytest.mark.parametrize(
    "make",
    [
        lambda store: PipelineData("data"),
        lambda store: PipelineData("data").as_input("x"),
        lambda store: DataReference(store, "raw", "raw"),
        lambda store: InputPortBinding("raw", DataReference(store, "raw", "raw")),
        lambda store: OutputPortBinding("out"),
        lambda store: f"{PipelineData('data')}/file",
        lambda store: f"--in={OutputFileDatasetConfig('table')}",
        lambda store: DatasetConsumptionConfig("rows", OutputFileDatasetConfig("table")).arg_val,
    ],
)
def test_data_that_is_not_listed_is_refused(project: Project, make: Any) -> None:
    with pytest.raises(
        StepDefinitionError, match="Step 'a', argument 'arguments': .*not in the inputs or outputs"
    ):
        project.step("a", arguments=["--x", make(Datastore(project.workspace))])


@pytest.mark.parametrize("value", [object(), {"a": 1}, ["nested"], b"bytes"])
def test_what_is_no_argument_is_refused(project: Project, value: Any) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'a', argument 'arguments': .* cannot be an argument"):
        project.step("a", arguments=[value])


@pytest.mark.parametrize("value", ["--a 1", 5, {"--a": 1}, iter(["x"]), {"x"}])
def test_arguments_are_a_list(project: Project, value: Any) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'a', argument 'arguments': expected a list"):
        project.step("a", arguments=value)


def test_parameter_inside_of_a_text(project: Project) -> None:
    rate = PipelineParameter("rate", 0.1)
    step = project.step("a", arguments=["--rate", rate, f"run-{rate}-x"])
    assert step.arguments == ["--rate", "$AML_PARAMETER_rate", "run-$AML_PARAMETER_rate-x"]
    assert [
        p.name for p in project.step("b", arguments=[f"{rate}"], params={"r": rate}).pipeline_parameters
    ] == ["rate"]


def test_parameter_that_stands_inside_of_a_text_only_is_refused(project: Project) -> None:
    rate = PipelineParameter("rate", 0.1)
    with pytest.raises(
        StepDefinitionError, match=r"'x-\$AML_PARAMETER_rate' .* params=\{'rate': parameter\}"
    ):
        project.step("a", arguments=[f"x-{rate}"])


def test_values_of_other_tasks_stay_what_they_are(project: Project) -> None:
    @task
    def choose() -> str:
        return "adam"

    with DAG("values_of_tasks") as dag:
        chosen = choose()
        step = project.step("a", arguments=["--optimizer", chosen])
        assert isinstance(step.arguments[1], XComArg)
    assert dag.task_dict["a"].upstream_task_ids == {"choose"}
