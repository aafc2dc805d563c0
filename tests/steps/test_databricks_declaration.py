"""What a DatabricksStep takes and refuses when it is declared: nothing is asked of Databricks for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlsteps import (
    DatabricksCompute,
    DatabricksStep,
    LocalCompute,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
)
from mlsteps.environment import DatabricksCluster, JarLibrary, MavenLibrary, PyPiLibrary
from mlsteps.exceptions import StepDefinitionError
from steps.project import Project

TARGET = DatabricksCompute("dbx")
NOTEBOOK = {"notebook_path": "/Shared/nb", "num_workers": 1}
JAR = {"main_class_name": "a.Main", "num_workers": 1}
JARS = [JarLibrary("dbfs:/j")]
SCRIPT = {"python_script_path": "dbfs:/s.py", "num_workers": 1}


def ids(value: object) -> str:
    """The argument that is refused; what is given with it is too long for a name."""
    return value if isinstance(value, str) else "given"


def runconfig(**settings: Any) -> RunConfiguration:
    made = RunConfiguration()
    for name, value in settings.items():
        setattr(made.environment.databricks, name, value)
    return made


def step(**arguments: Any) -> DatabricksStep:
    return DatabricksStep(**{"name": "S", "compute_target": TARGET, **arguments})


def refused(**arguments: Any) -> StepDefinitionError:
    with pytest.raises(StepDefinitionError) as error:
        step(**arguments)
    assert "Step 'S'" in str(error.value)
    return error.value


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("notebook_path", {"num_workers": 1}),
        ("python_script_path", {**NOTEBOOK, "python_script_path": "dbfs:/s"}),
        ("python_script_name", {**SCRIPT, "python_script_name": "s.py"}),
        ("notebook_path", {**NOTEBOOK, "notebook_path": 1}),
        ("notebook_path", {**NOTEBOOK, "notebook_path": "nb"}),
        ("compute_target", {**NOTEBOOK, "compute_target": None}),
        ("compute_target", {**NOTEBOOK, "compute_target": 7}),
        ("notebook_params", {**NOTEBOOK, "notebook_params": ["a"]}),
        ("notebook_params", {**NOTEBOOK, "notebook_params": {1: "a"}}),
        ("notebook_params", {**NOTEBOOK, "notebook_params": {"a": {"b": 1}}}),
        ("python_script_params", {**SCRIPT, "python_script_params": "a"}),
        ("run_name", {**NOTEBOOK, "run_name": 7}),
        ("timeout_seconds", {**NOTEBOOK, "timeout_seconds": "60"}),
        ("timeout_seconds", {**NOTEBOOK, "timeout_seconds": True}),
        ("timeout_seconds", {**NOTEBOOK, "timeout_seconds": -1}),
        ("pypi_libraries", {**NOTEBOOK, "pypi_libraries": PyPiLibrary("a")}),
        ("pypi_libraries", {**NOTEBOOK, "pypi_libraries": ["a"]}),
        ("maven_libraries", {**NOTEBOOK, "maven_libraries": [PyPiLibrary("a")]}),
        ("maven_libraries", {**NOTEBOOK, "maven_libraries": [MavenLibrary()]}),
        ("num_workers", {"notebook_path": "/a"}),
        ("permit_cluster_restart", {**NOTEBOOK, "permit_cluster_restart": False}),
        ("runconfig", {**NOTEBOOK, "runconfig": "rc"}),
        ("pypi_libraries", {**NOTEBOOK, "runconfig": runconfig(), "pypi_libraries": [PyPiLibrary("a")]}),
        ("num_workers", {**NOTEBOOK, "runconfig": runconfig(cluster=DatabricksCluster(num_workers=1))}),
        ("runconfig", {"notebook_path": "/a", "runconfig": runconfig(cluster={"num_workers": 1})}),
        ("cluster_counts", {**NOTEBOOK, "cluster_counts": "node_type"}),
        ("cluster_counts", {**NOTEBOOK, "cluster_counts": ["region"]}),
        ("cluster_options", {"notebook_path": "/a", "existing_cluster_id": "c", "cluster_options": {"a": 1}}),
        ("num_workers", {**NOTEBOOK, "serverless": True}),
        (
            "serverless",
            {"main_class_name": "a", "jar_libraries": JARS, "serverless": True},
        ),
        ("pypi_libraries", {"notebook_path": "/a", "serverless": True, "pypi_libraries": [PyPiLibrary("a")]}),
        ("deferrable", {**NOTEBOOK, "deferrable": "yes"}),
    ],
    ids=ids,
)
def test_an_argument_that_cannot_be_is_refused_by_its_name(argument: str, given: dict[str, Any]) -> None:
    assert refused(**given).argument == argument


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("spark_version", {"notebook_path": "/a", "existing_cluster_id": "c", "spark_version": "x"}),
        ("num_workers", {"notebook_path": "/a", "existing_cluster_id": "c", "num_workers": 2}),
        ("notebook_params", {**SCRIPT, "notebook_params": {"a": "b"}}),
        ("python_script_params", {**NOTEBOOK, "python_script_params": ["a"]}),
        ("jar_params", {**NOTEBOOK, "jar_params": ["a"]}),
    ],
    ids=ids,
)
def test_what_sdk_v1_dropped_silently_is_an_error_unless_asked_for(
    argument: str, given: dict[str, Any]
) -> None:
    error = refused(**given)
    assert error.argument == argument and "strict=False" in str(error)
    made = step(**given, strict=False)
    assert not made.arguments
    cluster = made.databricks_task.cluster
    assert isinstance(cluster, DatabricksCluster)
    assert (cluster.existing_cluster_id is None) == (cluster.num_workers is not None)


def test_a_jar_is_to_be_listed() -> None:
    assert refused(**JAR).argument == "jar_libraries"
    step(**JAR, strict=False)
    step(**JAR, jar_libraries=[JarLibrary("dbfs:/a.jar")])


def test_the_callers_runconfig_is_left_as_it_is() -> None:
    cluster = DatabricksCluster(num_workers=1)
    made = step(notebook_path="/a", runconfig=runconfig(cluster=cluster))
    cluster.num_workers = 9
    assert isinstance(made.databricks_task.cluster, DatabricksCluster)
    assert made.databricks_task.cluster.num_workers == 1


def test_one_name_for_two_things_is_refused() -> None:
    data = PipelineData("a")
    assert refused(**NOTEBOOK, inputs=[data.as_input("x")], outputs=[PipelineData("x")]).argument == "inputs"
    assert refused(**NOTEBOOK, outputs=[data], notebook_params={"a": "b"}).argument == "notebook_params"
    assert refused(**NOTEBOOK, outputs=[PipelineData("mlsteps_run")]).argument == "outputs"
    assert refused(**NOTEBOOK, notebook_params={"mlsteps_path": "x"}).argument == "notebook_params"


def test_a_script_is_looked_for_in_its_folder(tmp_path: Path) -> None:
    given = {"python_script_name": "s.py", "source_directory": tmp_path, "num_workers": 1}
    assert refused(**given).argument == "python_script_name"
    assert refused(**{**given, "python_script_name": "../s.py"}).argument == "python_script_name"
    (tmp_path / "s.py").touch()
    assert step(**given).takes_source
    assert not step(**NOTEBOOK, source_directory=tmp_path).takes_source


def test_arguments_may_be_a_set_as_in_public_examples() -> None:
    parameter = PipelineParameter("p", "x")
    made = [step(**SCRIPT, python_script_params={"b", parameter, "a"}).arguments for _ in range(3)]
    assert made[0] == made[1] == made[2]
    assert sorted(made[0]) == sorted(["a", "b", "p", str(parameter)])


def test_a_compute_target_of_another_kind_is_refused_where_it_is_known(project: Project) -> None:
    made = step(**NOTEBOOK, compute_target=LocalCompute())
    with pytest.raises(StepDefinitionError, match="'local', and no Databricks workspace"):
        made.resolve_compute_target(project.workspace)
    named = step(**NOTEBOOK, compute_target="local")
    with pytest.raises(StepDefinitionError, match="type: databricks"):
        Pipeline(project.workspace, steps=[named]).to_dag("d")


def test_a_parameter_is_a_field_of_the_trigger_form(project: Project) -> None:
    (project.folder / "workspace.yaml").write_text("compute_targets: {dbx: {type: databricks}}")
    parameter = PipelineParameter("rate", 0.1)
    named = step(**NOTEBOOK, compute_target="dbx", notebook_params={"lr": parameter})
    dag = Pipeline(project.workspace, steps=[named]).to_dag("d")
    assert dag.params["rate"] == 0.1
    assert "rate" in [one.name for one in dag.task_dict["S"].pipeline_parameters]
