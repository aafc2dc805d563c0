"""Publishing a pipeline, finding it again, and running it without the folder that it came from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mlsteps import (
    DatabricksCompute,
    DatabricksStep,
    Pipeline,
    PipelineParameter,
    PublishedPipeline,
    RunConfiguration,
    Workspace,
)
from mlsteps.cleaning import Rules, Stores, clean
from mlsteps.exceptions import (
    MlstepsException,
    PipelineParameterError,
    SnapshotException,
    UserErrorException,
    WorkspaceException,
)
from mlsteps.runs import Experiment, PipelineRun
from steps.project import Project

SAY = """
    import sys
    from mlsteps import Run
    Run.get_context().log("said", " ".join(sys.argv[1:]))
"""


def saying(project: Project, text: str = SAY) -> Pipeline:
    say = project.step("say", text, arguments=["rate", PipelineParameter("rate", 0.5)], allow_reuse=False)
    return Pipeline(project.workspace, [say], "says it")


def said(run: PipelineRun) -> object:
    (step,) = run.get_steps()
    return step.get_metrics()["said"]


def test_what_was_published_is_found_again(project: Project) -> None:
    first = saying(project).publish("say", version="1")
    second = saying(project).publish("say", "other words", 2, continue_on_step_failure=True)  # type: ignore[arg-type]
    assert first.id != second.id
    assert first.graph_id == second.graph_id
    assert [one.id for one in PublishedPipeline.list(project.workspace)] == [second.id, first.id]
    found = PublishedPipeline.get(project.workspace, second.id)
    assert (found.name, found.description, found.version) == ("say", "other words", "2")
    assert (found.status, found.total_run_steps, found.continue_on_step_failure) == ("Active", 1, True)
    assert (first.description, first.continue_on_step_failure) == ("says it", None)
    assert found.get_step_names() == ["say"]
    assert [step.name for step in found.get_graph().nodes] == ["say"]
    assert found.endpoint.endswith(f"/mlsteps/v1.0/dags/published.say/PipelineRuns/PipelineSubmit/{found.id}")
    assert saying(project).publish().name == "pipeline"
    with pytest.raises(WorkspaceException, match="no published pipeline 'nobody'"):
        PublishedPipeline.get(project.workspace, "nobody")


def test_disabled_ones_are_not_listed_and_not_run(project: Project) -> None:
    published = saying(project).publish("say")
    published.disable()
    published.disable()
    assert published.status == "Disabled"
    assert PublishedPipeline.list(project.workspace) == []
    (found,) = PublishedPipeline.get_all(project.workspace, active_only=False)
    with pytest.raises(UserErrorException, match="is disabled: enable"):
        found.submit(project.workspace, "exp")
    found.enable()
    assert PublishedPipeline.get(project.workspace, published.id).status == "Active"


def test_it_runs_as_it_was_when_its_folder_is_gone(project: Project, airflow_db: Path) -> None:
    published = saying(project).publish("say")
    project.script("say.py", "raise SystemExit(1)")
    run = published.submit(project.workspace, "exp", {"rate": "0.25"})
    assert (run.get_status(), said(run)) == ("Finished", "rate 0.25")
    shutil.rmtree(project.source)
    run = Experiment(project.workspace, "exp").submit(published, tags={"a": "b"})
    assert (run.get_status(), said(run), run.get_tags()) == ("Finished", "rate 0.5", {"a": "b"})
    (step,) = run.get_steps()
    assert "directory" not in step.record.source
    with pytest.raises(PipelineParameterError, match="no parameter 'rat'"):
        published.submit(project.workspace, "exp", {"rat": "1"})
    with pytest.raises(UserErrorException, match="can be submitted there only"):
        published.submit(Workspace(folder=project.root), "exp")
    with pytest.raises(UserErrorException, match="regenerate_outputs is for pipelines"):
        Experiment(project.workspace, "exp").submit(published, regenerate_outputs=True)


def test_a_run_reuses_what_the_pipeline_made_and_the_other_way_round(
    project: Project, airflow_db: Path
) -> None:
    pipeline = Pipeline(project.workspace, [project.step("make")])
    published = pipeline.publish("make")
    pipeline.submit("exp")
    (step,) = published.submit(project.workspace, "exp").get_steps()
    assert step.record.state == "reused"


def test_whether_it_goes_on_after_a_failure_is_for_the_caller_to_say(
    project: Project, airflow_db: Path
) -> None:
    fails, other, last = (
        project.step(name, text, allow_reuse=False)
        for name, text in (("fails", "raise SystemExit(7)"), ("other", ""), ("last", ""))
    )
    last.run_after(other)
    published = Pipeline(project.workspace, [fails, last]).publish("fails", continue_on_step_failure=True)

    def finished(go_on: bool | None) -> set[str]:
        run = published.submit(project.workspace, "exp", continue_on_step_failure=go_on)
        return {step.name for step in run.get_steps() if step.get_status() == "Finished"}

    assert finished(None) == finished(True) == {"other", "last"}
    assert "last" not in finished(False)


def test_the_run_that_it_is_part_of_is_a_property(project: Project, airflow_db: Path) -> None:
    run = saying(project).publish("say").submit(project.workspace, "exp", parent_run_id="above")
    assert run.properties["ParentRunId"] == "above"


def test_a_run_is_published_with_the_code_that_it_ran(project: Project, airflow_db: Path) -> None:
    run = saying(project).submit("exp", {"rate": 0.1})
    project.script("say.py", "raise SystemExit(1)")
    published = PipelineRun.get(project.workspace, run.id).publish_pipeline("again", "of a run", "7")
    assert (published.name, published.description, published.version) == ("again", "of a run", "7")
    assert said(published.submit(project.workspace, "exp")) == "rate 0.5"
    other = published.submit(project.workspace, "other").publish_pipeline("third", "", "1")
    assert other.graph_id == published.graph_id
    assert [step.name for step in run.get_graph().steps] == ["say"]
    with pytest.raises(UserErrorException, match="unknown argument 'tags'"):
        run.publish_pipeline("a", "b", "c", tags={})


def test_a_run_that_cannot_be_published_says_why(project: Project, airflow_db: Path) -> None:
    step = project.step("bad", on_success_callback=print)
    run = Pipeline(project.workspace, [step]).submit("exp")
    with pytest.raises(
        UserErrorException, match="cannot be published: Step 'bad', argument 'on_success_callb"
    ):
        run.publish_pipeline("a", "b", "c")
    dag = Pipeline(project.workspace, [project.step("plain")]).to_dag("plain")
    finished = project.run(dag)
    plain = PipelineRun.get(project.workspace, finished.run_id)
    for asked in (lambda: plain.publish_pipeline("a", "b", "c"), plain.get_graph):
        with pytest.raises(UserErrorException, match="no Pipeline that was submitted or published"):
            asked()


def test_a_run_keeps_no_variables_of_its_environment(project: Project, airflow_db: Path) -> None:
    """They are in no record; whoever publishes the pipeline itself says that they may be read."""
    config = RunConfiguration()
    config.environment_variables = {"GREETING": "hush"}
    pipeline = Pipeline(project.workspace, [project.step("quiet", runconfig=config)])
    run = pipeline.submit("exp")
    store = project.workspace.record_store()
    assert not any(b"hush" in store.read(info.path) for info in store.list("mlsteps/runs"))
    with pytest.raises(UserErrorException, match="no record has them. Publish the Pipeline itself"):
        run.publish_pipeline("a", "b", "c")
    assert "hush" in pipeline.publish("a").definition().text


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("spark_conf", {"fs.azure.account.key.x.blob.core.windows.net": "hush", "my.password": "hush"}),
        ("cluster_options", {"docker_image": {"basic_auth": {"password": "hush"}}}),
        ("executor_config", {"pod": [{"API_KEY": "hush"}]}),
    ],
)
def test_settings_that_look_like_secrets_are_not_published(
    project: Project, name: str, settings: Any
) -> None:
    def step(value: Any) -> DatabricksStep:
        target = DatabricksCompute("dbx")
        return DatabricksStep("s", notebook_path="/a", num_workers=1, compute_target=target, **{name: value})

    with pytest.raises(UserErrorException, match=f"of {name} looks like a secret") as error:
        Pipeline(project.workspace, [step(settings)]).publish("p")
    assert "hush" not in str(error.value)
    Pipeline(project.workspace, [step({"my.password": "{{secrets/scope/name}}"})]).publish("p")


def test_clearing_up_leaves_published_code(project: Project) -> None:
    from datetime import datetime, timedelta, timezone

    published = saying(project).publish("say")
    unpublished = Pipeline(project.workspace, [project.step("other", "print(1)")])
    unpublished.definition()
    snapshots = project.workspace.record_store().list_names("mlsteps/snapshots")
    assert len(snapshots) == 2
    store = project.workspace.record_store()
    rules = Rules(timedelta(0), 0, datetime.now(timezone.utc) + timedelta(days=9))
    clean(Stores.of(project.workspace), rules)
    assert len(store.list_names("mlsteps/snapshots")) == 1
    published.definition()
    store.delete("mlsteps/snapshots")
    (step,) = published.get_graph().nodes
    from mlsteps.steps.frozen import code_of

    with pytest.raises(SnapshotException, match="The code is gone"):
        code_of(step, project.workspace).archive()


def test_a_damaged_definition_is_named(project: Project) -> None:
    published = saying(project).publish("say")
    path = f"mlsteps/registry/pipelines/{published.id}/definition.json"
    project.workspace.record_store().write(path, b'{"kind": "pipeline-definition", "version": 9}')
    with pytest.raises(MlstepsException, match="This is version 9 of a pipeline-definition"):
        published.get_graph()
    with pytest.raises(UserErrorException, match="the name of a pipeline is a text"):
        saying(project).publish(7)  # type: ignore[arg-type]
