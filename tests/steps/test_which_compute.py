"""Names of compute targets in steps: when they are looked up, and which pool they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from mlsteps import (
    AmlCompute,
    ComputeTarget,
    LocalCompute,
    Pipeline,
    PythonScriptStep,
    RunConfiguration,
    Workspace,
)
from mlsteps.exceptions import StepDefinitionError

AML = AmlCompute.provisioning_configuration("STANDARD_D2_V2", max_nodes=2)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "a.py").write_text("import os; print(os.getcwd())")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "workspace.yaml").write_text("compute_targets: {cpu: {type: amlcompute, max_nodes: 3}}")
    return Workspace(folder=folder)


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLSTEPS__COMPUTE_POOLS", "True")


def step(scripts: Path, **settings: Any) -> PythonScriptStep:
    return PythonScriptStep("a.py", source_directory=scripts, **settings)


def pool(scripts: Path, **settings: Any) -> str:
    with DAG("d"):
        return step(scripts, **settings).pool


def test_a_registered_name_is_known_where_the_registry_is_a_folder(
    workspace: Workspace, scripts: Path
) -> None:
    with (
        DAG("d"),
        pytest.raises(StepDefinitionError, match="'new' is not a compute target.*knows cpu, local"),
    ):
        step(scripts, compute_target="new", workspace=workspace)

    ComputeTarget.create(workspace, "new", AML)
    with DAG("d"):
        assert step(scripts, compute_target="new", workspace=workspace).resolve_compute_target().name == "new"


def test_no_lookup_happens_for_a_name_where_that_needs_a_connection(scripts: Path) -> None:
    with DAG("d"):
        step(scripts, compute_target="anything", workspace=Workspace(conn_id="there_is_none"))


def test_an_aml_compute_runs_a_step_where_the_workspace_says(
    workspace: Workspace, scripts: Path, tmp_path: Path, run_dag: Callable[..., Any]
) -> None:
    Path(workspace.config.source).write_text(f"aml_compute: {{type: local, scratch: '{tmp_path}/fast'}}")
    again = Workspace(folder=workspace.config.source)
    ComputeTarget.create(again, "new", AML)
    with DAG("aml_compute") as dag:
        step(scripts, compute_target="new", workspace=again)

    assert run_dag(dag).state == "success"
    (log,) = Path(workspace.location).rglob("stdout.log")
    assert log.read_text().startswith(f"{tmp_path}/fast/")


def test_steps_stay_in_the_default_pool_unless_airflow_is_told_otherwise(
    workspace: Workspace, scripts: Path
) -> None:
    assert pool(scripts, compute_target="cpu", workspace=workspace) == "default_pool"


@pytest.mark.usefixtures("pools")
def test_a_step_that_names_a_compute_target_is_in_its_pool(workspace: Workspace, scripts: Path) -> None:
    found = ComputeTarget(workspace, "cpu")

    assert pool(scripts, compute_target="cpu", workspace=workspace) == "mlsteps_churn_cpu"
    assert pool(scripts, compute_target=found, workspace=workspace) == "mlsteps_churn_cpu"
    far = Workspace(conn_id="my ws")
    assert pool(scripts, compute_target="cpu", workspace=far) == "mlsteps_my_ws_cpu" == far.pool_name("cpu")


@pytest.mark.usefixtures("pools")
def test_a_step_of_a_pipeline_gets_the_pool_of_the_pipelines_workspace(
    workspace: Workspace, scripts: Path
) -> None:
    pipeline = Pipeline(workspace, [step(scripts, name="a", compute_target="cpu")])

    assert pipeline.to_dag("d").get_task("a").pool == "mlsteps_churn_cpu"
    assert pipeline.to_dag("e", default_args={"retries": 1}).get_task("a").pool == "mlsteps_churn_cpu"


@pytest.mark.usefixtures("pools")
def test_a_mapped_step_is_in_the_pool_of_what_it_names(workspace: Workspace, scripts: Path) -> None:
    def pool_of_mapped(**settings: Any) -> str:
        settings = {"source_directory": scripts, "workspace": workspace, **settings}
        with DAG("d", default_args=settings.pop("default_args", {})) as dag:
            PythonScriptStep.partial("a.py", name="a", **settings).expand(arguments=[["1"], ["2"]])
        return dag.get_task("a").pool

    configured = RunConfiguration()
    configured.target = "cpu"
    assert pool_of_mapped(compute_target="cpu") == "mlsteps_churn_cpu"
    assert pool_of_mapped(runconfig=configured) == "mlsteps_churn_cpu"
    assert pool_of_mapped() == pool_of_mapped(compute_target=LocalCompute()) == "default_pool"
    assert pool_of_mapped(compute_target="cpu", pool="mine") == "mine"
    assert pool_of_mapped(compute_target="cpu", default_args={"pool": "mine"}) == "mine"


@pytest.mark.usefixtures("pools")
def test_other_steps_stay_where_they_are(workspace: Workspace, scripts: Path) -> None:
    assert pool(scripts, workspace=workspace) == "default_pool"
    assert pool(scripts, workspace=workspace, compute_target=LocalCompute()) == "default_pool"
    assert pool(scripts, workspace=workspace, compute_target="cpu", pool="mine") == "mine"
