"""Schedules in the DAG bundle of a workspace: their DAGs, their runs, and the DAGs that look at data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Datastore,
    Pipeline,
    PipelineEndpoint,
    PipelineParameter,
    PublishedPipeline,
    Schedule,
    ScheduleRecurrence,
)
from mlsteps.bundles import WorkspaceDagBundle
from mlsteps.bundles.schedule_plan import with_dag_ids
from mlsteps.bundles.watch_tasks import ChangedFiles, told_changes
from mlsteps.compat import empty_dag_bag
from mlsteps.records import cancel_reason
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.records.schedules import ScheduleRecord
from mlsteps.timetables import RecurrenceTimetable
from steps.project import Project

DAILY = ScheduleRecurrence("Day", 1, "2026-01-01T06:00:00")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    return Project(tmp_path, monkeypatch)


@pytest.fixture
def dags(project: Project) -> Callable[[], dict[str, Any]]:
    """The DAGs of the bundle as it is now."""

    def now() -> dict[str, Any]:
        bundle = WorkspaceDagBundle(name="ml")
        bundle.initialize()
        bag = empty_dag_bag(str(bundle.path))
        assert bag.import_errors == {}
        return dict(bag.dags)

    return now


def publish(project: Project, text: str = "pass", name: str = "train") -> PublishedPipeline:
    store = Datastore(project.workspace, "workspaceblobstore")
    store.store.write("in/a.txt", b"1")
    data = (PipelineParameter("data", DataPath(store, "in/a.txt")), DataPathComputeBinding())
    step = project.step("only", text, arguments=[PipelineParameter("rate", 0.5), data], inputs=[data])
    return Pipeline(project.workspace, [step]).publish(name)


@pytest.mark.smoke
def test_a_schedule_is_a_dag_with_its_own_steps(
    project: Project, dags: Callable[[], dict[str, Any]], run_dag: Callable[..., Any]
) -> None:
    published = publish(project, "import sys; assert sys.argv[1] == '0.25'")
    made = Schedule.create(
        project.workspace,
        "nightly",
        published.id,
        "nights",
        DAILY,
        description="every night",
        pipeline_parameters={"rate": 0.25},
    )
    found = dags()
    assert sorted(found) == ["published.train", "schedule.nightly"]
    dag = found["schedule.nightly"]
    assert (dag.description, dag.dag_display_name, dag.is_paused_upon_creation) == (
        "every night",
        "nightly",
        False,
    )
    assert dag.params["rate"] == 0.25
    assert isinstance(dag.timetable, RecurrenceTimetable)
    assert dag.timetable.recurrence == DAILY
    assert (made.id in dag.doc_md, published.id in dag.doc_md) == (True, True)
    done = run_dag(dag)
    assert {str(ti.state) for ti in done.get_task_instances()} == {"success"}
    (run,) = made.get_pipeline_runs()
    assert (run.id, run.experiment.name, run.get_status()) == (done.run_id, "nights", "Finished")
    assert run.get_tags()["schedule_id"] == made.id
    last = made.get_last_pipeline_run()
    assert last is not None and last.id == run.id


def test_this_airflow_says_whom_to_tell_of_runs(
    project: Project, dags: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = publish(project)
    Schedule.create(project.workspace, "s", published.id, "e", DAILY)
    monkeypatch.setenv("AIRFLOW__MLSTEPS__ON_FAILURE_CALLBACK", "json.dumps")
    for dag in dags().values():
        assert (dag.on_failure_callback, dag.on_success_callback) == (json.dumps, None)


@pytest.mark.parametrize("go_on", [False, None])
def test_a_schedule_says_whether_other_steps_go_on(
    project: Project, dags: Callable[[], dict[str, Any]], run_dag: Callable[..., Any], go_on: bool | None
) -> None:
    published = publish(project, "raise SystemExit(1)")
    Schedule.create(project.workspace, "s", published.id, "e", DAILY, continue_on_step_failure=go_on)
    done = run_dag(dags()["schedule.s"])
    reason = cancel_reason(project.workspace.record_store(), "schedule.s", done.run_id)
    assert reason == (None if go_on is None else "step 'only' failed")


@pytest.mark.parametrize("go_on", [False, True])
def test_what_is_published_says_whether_other_steps_go_on(
    project: Project, dags: Callable[[], dict[str, Any]], run_dag: Callable[..., Any], go_on: bool
) -> None:
    step = project.step("only", "raise SystemExit(1)")
    published = Pipeline(project.workspace, [step]).publish("train", continue_on_step_failure=go_on)
    Schedule.create(project.workspace, "s", published.id, "e", DAILY)
    for dag_id in ("published.train", "schedule.s"):
        done = run_dag(dags()[dag_id])
        reason = cancel_reason(project.workspace.record_store(), dag_id, done.run_id)
        assert reason == (None if go_on else "step 'only' failed")


def test_a_schedule_follows_what_it_runs(project: Project, dags: Callable[[], dict[str, Any]]) -> None:
    first, second = publish(project, "print(1)"), publish(project, "print(2)")
    endpoint = PipelineEndpoint.publish(project.workspace, "ep", "", first)
    Schedule.create(project.workspace, "pinned", first.id, "e", DAILY)
    Schedule.create_for_pipeline_endpoint(project.workspace, "newest", endpoint.id, "e", DAILY)
    assert first.id in dags()["schedule.newest"].doc_md
    endpoint.add_default(second)
    now = dags()
    assert second.id in now["schedule.newest"].doc_md
    assert first.id in now["schedule.pinned"].doc_md
    endpoint.disable()
    first.disable()
    now = dags()
    assert now["schedule.newest"].is_paused_upon_creation
    assert now["schedule.pinned"].is_paused_upon_creation


def test_a_disabled_schedule_is_paused(
    project: Project, dags: Callable[[], dict[str, Any]], airflow_db: Path
) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    store = Datastore(project.workspace, "workspaceblobstore")
    made = Schedule.create(
        project.workspace, "new", publish(project).id, "e", datastore=store, path_on_datastore="in"
    )
    both = ("schedule.new", "watch.new")
    with create_session() as session:
        session.merge(DagBundleModel(name="ml"))
        session.flush()
        for dag_id in both:
            session.merge(DagModel(dag_id=dag_id, is_paused=False, bundle_name="ml"))

    def paused() -> list[bool]:
        assert set(both) <= set(dags())
        with create_session() as session:
            return [session.get(DagModel, dag_id).is_paused for dag_id in both]

    assert paused() == [False, False]
    made.disable()
    assert paused() == [True, True]
    made.enable()
    assert paused() == [False, False]


def test_data_is_looked_at_by_a_dag_that_starts_runs(
    project: Project, dags: Callable[[], dict[str, Any]]
) -> None:
    published, store = publish(project), Datastore(project.workspace, "workspaceblobstore")
    for name in ("one", "two"):
        Schedule.create(
            project.workspace,
            name,
            published.id,
            "e",
            datastore=store,
            path_on_datastore="in",
            data_path_parameter_name="data" if name == "one" else None,
        )
    found = dags()
    watch = found["watch.one"]
    assert found["schedule.one"].schedule is None
    assert [task.task_id for task in watch.topological_sort()] == ["changed", "start", "noted"]
    assert watch.get_task("start").partial_kwargs["trigger_dag_id"] == "schedule.one"
    assert watch.get_task("changed").parameter == "data"
    ((one,), (two,)) = (found[f"watch.{name}"].schedule for name in ("one", "two"))
    assert one.uri == two.uri == "x-mlsteps://watch/default/workspaceblobstore/in?minutes=5"
    triggers = [asset.watchers[0].trigger.serialize() for asset in (one, two)]
    assert triggers[0] == triggers[1], "two would look at one place"


@pytest.mark.smoke
def test_the_database_has_one_trigger_for_all(
    project: Project, dags: Callable[[], dict[str, Any]], airflow_db: Path
) -> None:
    from airflow.models.asset import AssetModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from mlsteps.compat import sync_dag_bag

    published, store = publish(project), Datastore(project.workspace, "workspaceblobstore")
    for name in ("one", "two"):
        Schedule.create(project.workspace, name, published.id, "e", datastore=store, path_on_datastore="in")
    dags()
    bundle = WorkspaceDagBundle(name="ml")
    with create_session() as session:
        session.merge(DagBundleModel(name="ml"))
    sync_dag_bag(empty_dag_bag(str(bundle.path)), "ml")
    with create_session() as session:
        assets = [one for one in session.scalars(select(AssetModel)) if "://watch/" in one.uri]
        ((asset),) = assets
        assert len(asset.scheduled_dags) == 2
        ((trigger),) = asset.triggers
        assert trigger.classpath == "mlsteps.triggers.changed_files.ChangedFilesTrigger"


def told(*changed: dict[str, str]) -> Any:
    """A run's context: what was told, beside what has nothing to do with it."""
    payloads: list[Any] = [{"watch": "w", "changed": part, "gone": ["x"]} for part in changed]
    events = [SimpleNamespace(extra={"from_trigger": True, "payload": payload}) for payload in payloads]
    return {"triggering_asset_events": {"asset": [SimpleNamespace(extra=None), *events]}}


def test_each_changed_file_is_a_run_and_its_id_tells_which() -> None:
    task = ChangedFiles(task_id="changed", schedule="s", parameter="data", datastore="blobs")
    context = told({"in/a b.txt": "1"}, {"in/a b.txt": "1", "in/c": "2"}, {"in/c": "3"})
    started = task.execute(context)
    assert [one["conf"] for one in started] == [
        {"data": "blobs/in/a b.txt"},
        {"data": "blobs/in/c"},
        {"data": "blobs/in/c"},
    ]
    ids = [one["trigger_run_id"] for one in started]
    assert len(set(ids)) == 3
    assert ids[0].startswith("changed__a_b.txt__")
    assert task.execute(told({"in/c": "2"}))[0]["trigger_run_id"] == ids[1]
    other = ChangedFiles(task_id="changed", schedule="other", parameter="data", datastore="blobs")
    assert other.execute(told({"in/c": "2"}))[0]["trigger_run_id"] not in ids
    assert task.execute({}) == task.execute(told()) == []
    assert [watch for watch, _ in told_changes(context)] == ["w"] * 3


def test_without_a_parameter_all_changes_are_one_run() -> None:
    task = ChangedFiles(task_id="changed", schedule="s", parameter=None, datastore="blobs")
    (run,) = task.execute(told({"in/a": "1", "in/b": "1"}))
    assert run["conf"] == {}
    assert run["trigger_run_id"].startswith("changed__2_files__")
    assert task.execute(told({"in/b": "1", "in/a": "1"})) == [run]


def test_schedules_of_one_id_share_no_dag() -> None:
    def schedule(id: str, created: str, status: str) -> ScheduleRecord:
        return ScheduleRecord(id, "n", "", status, created, "schedule.n", "e", created, created)

    old, first, second, off = (
        schedule("old-----", "1", DISABLED),
        schedule("first---", "2", ACTIVE),
        schedule("second--", "2", ACTIVE),
        schedule("off-----", "4", DISABLED),
    )
    assert list(with_dag_ids([second, off, first, old])) == [
        (first, "schedule.n"),
        (second, "schedule.n--second--"),
    ]
    assert list(with_dag_ids([old, off])) == [(off, "schedule.n")]


def test_a_parameter_that_a_new_version_lacks_is_named(
    project: Project, dags: Callable[[], dict[str, Any]]
) -> None:
    endpoint = PipelineEndpoint.publish(project.workspace, "ep", "", publish(project))
    Schedule.create_for_pipeline_endpoint(
        project.workspace, "s", endpoint.id, "e", DAILY, pipeline_parameters={"rate": 0.1}
    )
    endpoint.add_default(Pipeline(project.workspace, [project.step("bare")]).publish("bare"))
    bundle = WorkspaceDagBundle(name="ml")
    bundle.initialize()
    bag = empty_dag_bag(str(bundle.path))
    (error,) = bag.import_errors.values()
    assert "The schedule sets the parameter 'rate', which the pipeline does not have; it has none" in error
