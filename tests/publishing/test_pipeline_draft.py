"""Drafts of pipelines: made of whatever has a pipeline, changed, run, published, deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps import Pipeline, PipelineDraft, PipelineParameter, PublishedPipeline, Workspace
from mlsteps.cleaning import Rules, Stores, clean
from mlsteps.exceptions import PipelineParameterError, UserErrorException, WorkspaceException
from mlsteps.runs import Experiment, PipelineRun
from publishing.test_published_pipeline import said, saying
from steps.project import Project


def test_a_draft_keeps_the_pipeline_and_the_settings_of_its_next_run(
    project: Project, airflow_db: Path
) -> None:
    draft = PipelineDraft.create(
        project.workspace,
        saying(project),
        "try it",
        "words",
        "exp",
        {"rate": "0.25"},
        tags={"team": "a"},
        properties={"p": 1},
    )
    project.script("say.py", "raise SystemExit(1)")
    found = PipelineDraft.get(project.workspace, draft.id)
    assert (found.name, found.description, found.tags, found.properties) == (
        *("try it", "words", {"team": "a"}, {"p": "1"}),
    )
    assert [step.name for step in found.get_graph().steps] == ["say"]
    assert found.last_submitted_pipeline_run_id is None
    run = found.submit_run()
    assert (run.get_status(), said(run), run.get_tags()) == ("Finished", "rate 0.25", {"team": "a"})
    assert run.experiment.name == "exp"
    assert PipelineDraft.get(project.workspace, draft.id).last_submitted_pipeline_run_id == run.id


def test_what_is_updated_changes_and_the_rest_stays(project: Project, airflow_db: Path) -> None:
    draft = PipelineDraft.create(project.workspace, saying(project), "d", "", "exp", {"rate": 0.25})
    draft.update(name="e", tags={"a": "b"})
    other = saying(project, "from mlsteps import Run; Run.get_context().log('said', 'other')")
    draft.update(other, experiment_name="second", continue_on_step_failure=True)
    found = PipelineDraft.get(project.workspace, draft.id)
    assert (found.name, found.tags) == ("e", {"a": "b"})
    run = found.submit_run()
    assert (said(run), run.experiment.name, run.record.parameters) == ("other", "second", {"rate": 0.25})
    with pytest.raises(PipelineParameterError, match="no parameter 'rat'"):
        draft.update(pipeline_parameters={"rat": 1.0})
    with pytest.raises(PipelineParameterError, match="no parameter 'rate'"):  # which the draft has
        draft.update(Pipeline(project.workspace, [project.step("plain")]))
    assert draft.get_graph().steps[0].name == "say"


def test_a_draft_is_made_of_what_was_published_of_a_run_or_of_a_draft(
    project: Project, airflow_db: Path
) -> None:
    published = saying(project).publish("say", "words", continue_on_step_failure=True)
    with pytest.raises(UserErrorException, match="'experiment_name': expected a text"):
        PipelineDraft.create(project.workspace, published)
    first = PipelineDraft.create(project.workspace, published, experiment_name="exp")
    assert (first.name, first.description, first.parent_pipeline_id) == ("say", "words", published.id)
    first.update(pipeline_parameters={"rate": 0.75}, tags={"a": "b"})
    run = first.submit_run()
    again = PipelineDraft.create(project.workspace, PipelineRun.get(project.workspace, run.id), "again")
    assert (again.name, again.parent_pipeline_run_id) == ("again", run.id)
    assert said(again.submit_run()) == "rate 0.75"
    clone = PipelineDraft.create(project.workspace, first)
    assert (clone.name, clone.tags, clone.parent_pipeline_draft_id) == ("say", {"a": "b"}, first.id)
    assert clone.id != first.id
    assert clone.definition().digest == first.definition().digest == published.graph_id
    assert clone.parent_step_run_ids == []


def test_a_draft_is_published(project: Project) -> None:
    draft = PipelineDraft.create(project.workspace, saying(project), "d", "words", "exp", {"rate": 0.25})
    published = draft.publish()
    assert (published.name, published.description) == ("d", "words")
    assert published.pipeline().parameters["rate"].default_value == 0.5
    draft.delete()
    assert PublishedPipeline.get(project.workspace, published.id).get_step_names() == ["say"]


def test_drafts_are_listed_by_their_tags_until_they_are_deleted(project: Project) -> None:
    made = [
        PipelineDraft.create(project.workspace, saying(project), name, "", "exp", tags=tags)
        for name, tags in (("one", {"a": "1"}), ("two", {"a": "1", "b": "2"}), ("three", None))
    ]
    assert [draft.name for draft in PipelineDraft.list(project.workspace)] == ["three", "two", "one"]
    assert [draft.name for draft in PipelineDraft.list(project.workspace, {"a": "1"})] == ["two", "one"]
    assert [draft.name for draft in PipelineDraft.list(project.workspace, {"b": "2"})] == ["two"]
    made[1].delete()
    assert PipelineDraft.list(project.workspace, {"b": "2"}) == []
    for asked in (made[1].submit_run, made[1].delete, made[1].get_graph, lambda: made[1].update(name="x")):
        with pytest.raises(WorkspaceException, match="PipelineDraft.* was deleted"):
            asked()  # type: ignore[operator]
    with pytest.raises(WorkspaceException, match="no pipeline draft"):
        PipelineDraft.get(project.workspace, made[1].id)


def test_what_a_draft_cannot_be_made_of(project: Project) -> None:
    pipeline = saying(project)
    with pytest.raises(UserErrorException, match="'name': expected a text, got None"):
        PipelineDraft.create(project.workspace, pipeline, experiment_name="exp")
    with pytest.raises(UserErrorException, match="made of a Pipeline, PublishedPipeline.* got int"):
        PipelineDraft.create(project.workspace, 7, "a", "", "exp")  # type: ignore[arg-type]
    with pytest.raises(UserErrorException, match="a draft of it can be made there only"):
        PipelineDraft.create(Workspace(folder=project.root), pipeline, "a", "", "exp")


def test_clearing_up_leaves_the_code_of_drafts(project: Project) -> None:
    from datetime import datetime, timedelta, timezone

    draft = PipelineDraft.create(project.workspace, saying(project), "d", "", "exp")
    store, rules = (
        project.workspace.record_store(),
        Rules(timedelta(0), 0, datetime.now(timezone.utc) + timedelta(days=9)),
    )
    clean(Stores.of(project.workspace), rules)
    assert len(store.list_names("mlsteps/snapshots")) == 1
    draft.delete()
    clean(Stores.of(project.workspace), rules)
    assert store.list_names("mlsteps/snapshots") == []


def test_a_draft_is_saved_as_yaml(project: Project, tmp_path: Path) -> None:
    draft = PipelineDraft.create(project.workspace, saying(project), "d", "", "exp")
    read = Pipeline.load_yaml(project.workspace, draft.save(str(tmp_path)))
    assert [step.name for step in read.graph.steps] == ["say"]


def test_the_runs_of_a_publication_are_found(project: Project, airflow_db: Path) -> None:
    first, second = (saying(project).publish("say") for _ in range(2))
    one = first.submit(project.workspace, "exp")
    other = Experiment(project.workspace, "other").submit(second)
    last = first.submit(project.workspace, "other", {"rate": 0.1})
    assert [run.id for run in PipelineRun.get_pipeline_runs(project.workspace, first.id)] == [last.id, one.id]
    (found,) = PipelineRun.get_pipeline_runs(project.workspace, second.id)
    assert (found.id, found.experiment.name) == (other.id, "other")
    unpublished = Pipeline(project.workspace, [project.step("x", arguments=[PipelineParameter("q", 1)])])
    unpublished.submit("exp")
    assert PipelineRun.get_pipeline_runs(project.workspace, "nobody") == []
