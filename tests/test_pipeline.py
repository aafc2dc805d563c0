"""Pipeline: what it checks when it is made, and the DAGs it becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Param

from mlsteps import (
    DataPath,
    Datastore,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    StepSequence,
    Workspace,
)
from mlsteps.exceptions import PipelineParameterError, PipelineValidationError, StepDefinitionError
from mlsteps.runs.dag_ids import dag_id_from_name
from steps.project import Project, edges, states


@pytest.mark.smoke
def test_pipeline_becomes_a_dag_with_the_order_of_its_data(project: Project) -> None:
    model, rate = PipelineData("model"), PipelineParameter("rate", 0.1)
    show = project.step("show", inputs=[model])
    first = project.step("first ")
    train = project.step("train", outputs=[model], arguments=[rate])
    train.run_after(first)
    pipeline = Pipeline(project.workspace, [show], description="what it does")
    dag = pipeline.to_dag("becomes_a_dag", schedule="@daily", tags=["x"], params={"more": Param(1)})
    assert edges(dag) == {("reuse", "first"), ("train", "show"), ("first", "train")}
    assert dag.get_task("first").task_display_name == "first "
    assert dag.description == "what it does"
    assert (dag.params["rate"], dag.params["more"]) == (0.1, 1)
    assert dag.params.get_param("rate").schema["type"] == "number"
    assert dag.fileloc == __file__
    assert not dag.catchup
    assert [step.name for step in pipeline.graph.steps] == ["first ", "train", "show"]
    assert repr(pipeline) == "Pipeline(['first ', 'train', 'show'])"


def test_order_of_a_sequence_reaches_the_dag(project: Project) -> None:
    a, b, c = (project.step(name) for name in "abc")
    assert edges(Pipeline(project.workspace, StepSequence([[a, b], c])).to_dag("of_sequence")) == {
        ("reuse", "a"),
        ("reuse", "b"),
        ("a", "c"),
        ("b", "c"),
    }


def test_steps_may_be_used_by_two_pipelines_and_two_dags(project: Project) -> None:
    data = PipelineData("data")
    make, use = project.step("make", outputs=[data]), project.step("use", inputs=[data])
    other = project.step("other", inputs=[data])
    one, two = Pipeline(project.workspace, [make, use]), Pipeline(project.workspace, [other])
    dags = [one.to_dag("one_a"), one.to_dag("one_b"), two.to_dag("two")]
    front = ("reuse", "make")
    assert [edges(dag) - {front} for dag in dags] == [
        {("make", "use")},
        {("make", "use")},
        {("make", "other")},
    ]
    assert all(front in edges(dag) for dag in dags)
    assert len({id(dag.get_task("make")) for dag in dags}) == 3
    assert make.get_dag() is None
    for dag in dags:
        dag.validate()
        dag.resolve_template_files()


def test_two_steps_of_one_name_become_two_tasks(project: Project) -> None:
    dag = Pipeline(project.workspace, [project.step("a"), project.step("a"), project.step("a ")]).to_dag(
        "names"
    )
    assert set(dag.task_ids) == {"a", "a__1", "a__2", "reuse"}
    assert dag.get_task("a__2").task_display_name == "a "


def test_arguments_of_the_dag_win_over_those_of_the_pipeline(project: Project) -> None:
    step = project.step("a", arguments=[PipelineParameter("p", 1)])
    own = Param(5, type="integer", minimum=3)
    dag = Pipeline(project.workspace, [step], description="pipeline").to_dag(
        "own_arguments", description="dag", params={"p": own}, default_args={"retries": 3}
    )
    assert (dag.description, dag.params["p"], dag.get_task("a").retries) == ("dag", 5, 3)


def test_default_source_directory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.script("a.py")
    (project.root / "elsewhere").mkdir()
    (project.root / "elsewhere" / "b.py").touch()
    plain = PythonScriptStep("a.py")
    named = PythonScriptStep("b.py", source_directory=project.root / "elsewhere")
    monkeypatch.chdir(project.root)
    dag = Pipeline(project.workspace, [plain, named], default_source_directory="src").to_dag("default_source")
    assert dag.get_task("a.py").source_directory == project.source
    assert dag.get_task("b.py").source_directory == project.root / "elsewhere"
    with pytest.raises(StepDefinitionError, match="Step 'a.py', argument 'script_name': script not found"):
        Pipeline(project.workspace, [plain])
    with pytest.raises(PipelineValidationError, match="'default_source_directory': 'nowhere' does not exist"):
        Pipeline(project.workspace, [plain], default_source_directory="nowhere")


def test_unknown_compute_target_is_refused_at_construction(project: Project, tmp_path: Path) -> None:
    with pytest.raises(
        StepDefinitionError, match="Step 'a', argument 'compute_target': 'gpu' is not a compute target"
    ):
        Pipeline(project.workspace, [project.step("a", compute_target="gpu")])
    configuration = RunConfiguration()
    configuration.target = "cluster"
    with pytest.raises(StepDefinitionError, match="'cluster' is not a compute target"):
        Pipeline(project.workspace, [project.step("b", runconfig=configuration)])
    # The pipeline's workspace counts, not whatever would be the default one.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "workspace.yaml").write_text("compute_targets: {gpu: {type: local}}")
    other = Workspace(folder=tmp_path / "other")
    assert Pipeline(other, [project.step("c", compute_target="gpu")]).validate() == []


def test_validate_tells_what_a_connection_does_not_know(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = json.dumps({"folder": str(project.folder)})
    monkeypatch.setenv("AIRFLOW_CONN_LATE", json.dumps({"conn_type": "mlsteps", "extra": extra}))
    workspace = Workspace(conn_id="late")
    data = PipelineData("data", datastore=Datastore(workspace, "nostore"))
    pipeline = Pipeline(
        workspace, [project.step("a", compute_target="gpu"), project.step("b", outputs=[data])]
    )
    problems = pipeline.validate()
    assert len(problems) == 2
    assert (
        "Step 'a', argument 'compute_target': 'gpu' is not a compute target of Airflow connection 'late'"
        in problems[0]
    )
    assert "Step 'b', output 'data': " in problems[1]
    assert Pipeline(workspace, [project.step("c")]).validate() == []


def test_unknown_argument_is_refused(project: Project) -> None:
    with pytest.raises(PipelineValidationError, match="unknown argument 'step'"):
        Pipeline(project.workspace, [], step=[])
    with pytest.raises(PipelineValidationError, match="unknown argument 'parameters'"):
        Pipeline(project.workspace, [project.step("a")]).submit("x", parameters={})


def test_parameters_are_checked(project: Project) -> None:
    store = Datastore(project.workspace, "workspacefilestore")
    parameters = [
        PipelineParameter("number", 0.5),
        PipelineParameter("count", 1),
        PipelineParameter("flag", False),
        PipelineParameter("text", "x"),
    ]
    path = PipelineParameter("path", DataPath(store, "one"))
    pipeline = Pipeline(project.workspace, [project.step("a", arguments=[*parameters, path])])
    values = {"number": 0.1, "count": 2, "flag": True, "text": "", "path": DataPath(store, "two")}
    assert pipeline.check_parameters(values) == {**values, "path": "workspacefilestore/two"}
    assert pipeline.check_parameters(None) == {}
    wrong: list[tuple[str, Any]] = [
        ("number", 1), ("count", 1.0), ("count", True), ("flag", 1), ("text", 5), ("text", None), ("path", 3),
    ]  # fmt: skip
    for name, value in wrong:
        with pytest.raises(PipelineParameterError, match=f"Pipeline parameter '{name}' must be"):
            pipeline.check_parameters({name: value})
    with pytest.raises(
        PipelineParameterError, match="no parameter 'lr'; it has count, flag, number, path, text"
    ):
        pipeline.check_parameters({"lr": 1})


@pytest.mark.parametrize(
    ("name", "dag_id"), [("my exp", "my_exp"), (" a/b ", "a_b"), ("ü", "pipeline"), ("ok-1.x", "ok-1.x")]
)
def test_dag_id_from_name(name: str, dag_id: str) -> None:
    assert dag_id_from_name(name) == dag_id


@pytest.mark.smoke
def test_dag_of_a_pipeline_runs(project: Project) -> None:
    model = PipelineData("model")
    rate = PipelineParameter("rate", 0.5)
    use = project.step(
        "use", "import sys; assert open(sys.argv[1]).read() == '0.7'", inputs=[model], arguments=[model]
    )
    project.step(
        "make",
        "import sys; open(sys.argv[1], 'w').write(sys.argv[2])",
        outputs=[model],
        arguments=[model, rate],
    )
    run = project.run(Pipeline(project.workspace, use).to_dag("pipeline_runs"), rate=0.7)
    assert states(run) == {"make": "success", "use": "success"}
    assert project.record(run, "make").parameters == {"rate": 0.7}
