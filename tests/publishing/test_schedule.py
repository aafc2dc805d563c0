"""Schedules in a workspace's registry: made, found, changed, and what cannot be one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
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
    Workspace,
)
from mlsteps.data.file_states import file_states
from mlsteps.exceptions import PipelineParameterError, UserErrorException, WorkspaceException
from mlsteps.records.schedules import SCHEDULES
from mlsteps.records.watches import read_seen
from steps.project import Project

DAILY = ScheduleRecurrence("Day", 1, time_of_day="06:00")


@pytest.fixture
def store(project: Project) -> Datastore:
    made = Datastore(project.workspace, "workspaceblobstore")
    made.store.write("in/a.txt", b"1")
    return made


@pytest.fixture
def published(project: Project, store: Datastore) -> PublishedPipeline:
    data = (PipelineParameter("data", DataPath(store, "in/a.txt")), DataPathComputeBinding())
    step = project.step("only", arguments=[PipelineParameter("rate", 0.5), data], inputs=[data])
    return Pipeline(project.workspace, [step]).publish("train")


def test_a_schedule_is_what_was_said(project: Project, published: PublishedPipeline) -> None:
    made = Schedule.create(
        project.workspace,
        "nightly",
        published.id,
        "nights",
        DAILY,
        description="every night",
        pipeline_parameters={"rate": "0.25"},
        wait_for_provisioning=True,
        continue_on_step_failure=True,
    )
    for one in (made, Schedule.get(project.workspace, made.id)):
        assert (one.name, one.description, one.status) == ("nightly", "every night", "Active")
        assert (one.pipeline_id, one.pipeline_endpoint_id) == (published.id, None)
        assert (one.recurrence, one.continue_on_step_failure) == (DAILY, True)
        assert (one.datastore_name, one.path_on_datastore, one.data_path_parameter_name) == (None, None, None)
        assert one.dag_id == "schedule.nightly"
    record = SCHEDULES.read(project.workspace.record_store(), made.id)
    assert record is not None
    assert record.parameters == {"rate": 0.25}
    assert repr(made) == f"Schedule(name='nightly', id='{made.id}', status='Active')"
    assert made.get_pipeline_runs() == []
    assert made.get_last_pipeline_run() is None
    with pytest.raises(WorkspaceException, match="has no schedule 'other'"):
        Schedule.get(project.workspace, "other")


def test_schedules_are_listed(project: Project, published: PublishedPipeline) -> None:
    workspace = project.workspace
    endpoint = PipelineEndpoint.publish(workspace, "ep", "", published)
    one = Schedule.create(workspace, "one", published.id, "e", DAILY)
    two = Schedule.create_for_pipeline_endpoint(workspace, "two", endpoint.id, "e", DAILY)
    three = Schedule.create(workspace, "three", published.id, "e", DAILY)
    three.disable()

    def ids(schedules: list[Schedule]) -> set[str]:
        return {schedule.id for schedule in schedules}

    assert ids(Schedule.list(workspace)) == ids(Schedule.get_all(workspace)) == {one.id, two.id}
    assert ids(Schedule.list(workspace, active_only=False)) == {one.id, two.id, three.id}
    assert ids(Schedule.list(workspace, pipeline_id=published.id)) == {one.id}
    assert ids(Schedule.list(workspace, pipeline_endpoint_id=endpoint.id)) == {two.id}
    assert ids(Schedule.get_schedules_for_pipeline_id(workspace, published.id)) == {one.id, three.id}
    assert ids(Schedule.get_schedules_for_pipeline_endpoint_id(workspace, endpoint.id)) == {two.id}
    with pytest.raises(UserErrorException, match="not both"):
        Schedule.list(workspace, pipeline_id="a", pipeline_endpoint_id="b")


def test_a_schedule_is_changed_in_part(
    project: Project, published: PublishedPipeline, store: Datastore
) -> None:
    made = Schedule.create(project.workspace, "nightly", published.id, "e", DAILY)
    made.update(name="daily", pipeline_parameters={"rate": 0.1})
    assert (made.name, made.dag_id, made.recurrence) == ("daily", "schedule.nightly", DAILY)
    made.update(datastore=store, path_on_datastore="in", data_path_parameter_name="data")
    assert (made.recurrence, made.datastore_name, made.path_on_datastore) == (None, store.name, "in")
    made.update(polling_interval=7)
    assert (made.polling_interval, made.data_path_parameter_name, made.name) == (7, "data", "daily")
    hourly = ScheduleRecurrence("Hour", 2)
    made.update(recurrence=hourly)
    assert (made.recurrence, made.datastore_name, made.data_path_parameter_name) == (hourly, None, None)
    assert Schedule.get(project.workspace, made.id).recurrence == hourly
    for wrong, said in (
        ({"status": "Paused"}, "'Active' or 'Disabled', got 'Paused'"),
        ({"path_on_datastore": "in"}, "give recurrence, or datastore"),
        ({"recurrence": hourly, "datastore": store}, "'datastore': a schedule has a recurrence, or a"),
        ({"name": " "}, "'name': expected a text"),
    ):
        with pytest.raises(UserErrorException, match=said):
            made.update(**wrong)


def test_what_passes_while_it_is_disabled_does_not_count(
    project: Project, published: PublishedPipeline
) -> None:
    made = Schedule.create(project.workspace, "nightly", published.id, "e", DAILY)
    store = project.workspace.record_store()
    before = SCHEDULES.read(store, made.id)
    made.disable()
    made.disable()
    assert (made.status, Schedule.list(project.workspace)) == ("Disabled", [])
    made.enable()
    after = SCHEDULES.read(store, made.id)
    assert before is not None and after is not None
    assert (after.begun, after.status) == (before.begun, "Active")
    assert datetime.fromisoformat(after.since) >= datetime.fromisoformat(before.since)
    assert datetime.fromisoformat(after.since).tzinfo == timezone.utc


def test_a_name_that_an_active_schedule_has_gets_another_dag(
    project: Project, published: PublishedPipeline
) -> None:
    workspace = project.workspace
    first = Schedule.create(workspace, "nightly", published.id, "e", DAILY)
    second = Schedule.create(workspace, "nightly", published.id, "e", DAILY)
    assert (first.dag_id, second.dag_id) == ("schedule.nightly", f"schedule.nightly--{second.id[:8]}")
    first.disable()
    third = Schedule.create(workspace, "nightly", published.id, "e", DAILY)
    assert third.dag_id == "schedule.nightly"
    first.enable()
    assert first.dag_id == f"schedule.nightly--{first.id[:8]}"


def test_looking_at_data_begins_with_what_is_there(
    project: Project, published: PublishedPipeline, store: Datastore
) -> None:
    def create() -> Schedule:
        return Schedule.create(
            project.workspace, "new", published.id, "e", datastore=store, path_on_datastore="/in/"
        )

    def seen() -> Any:
        return read_seen(project.workspace.record_store(), watch.id)

    made = create()
    record = SCHEDULES.read(project.workspace.record_store(), made.id)
    assert record is not None and record.watch is not None
    watch = record.watch
    assert seen() == file_states(store.store, "in")
    store.store.write("in/b.txt", b"1")
    other = create()
    assert list(seen()) == ["in/a.txt"], "a change was lost for the schedule that looks there already"
    made.disable()
    other.disable()
    made.enable()
    assert sorted(seen()) == ["in/a.txt", "in/b.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"recurrence": None}, "give recurrence, or datastore"),
        ({"recurrence": "daily"}, "'recurrence': expected a ScheduleRecurrence, got 'daily'"),
        ({"recurrence": ScheduleRecurrence("Year", 1)}, "'frequency': expected one of"),
        ({"path_on_datastore": "in"}, "'path_on_datastore': a schedule has a recurrence, or a datastore"),
        ({"data_path_parameter_name": "data"}, "'data_path_parameter_name': a schedule has a recurrence"),
        ({"recurrence": None, "datastore": 7}, "'datastore': expected a Datastore, got 7"),
        ({"recurrence": None, "datastore": "workspaceblobstore", "polling_interval": 0}, "expected minutes"),
        (
            {"recurrence": None, "datastore": "workspaceblobstore", "path_on_datastore": "../up"},
            "path_on_datastore '../up' leaves the datastore",
        ),
        (
            {"recurrence": None, "datastore": "workspaceblobstore", "data_path_parameter_name": "rate"},
            "has no DataPath parameter 'rate'; it has data",
        ),
        ({"name": ""}, "'name': expected a text, got ''"),
        ({"experiment_name": None}, "'experiment_name': expected a text, got None"),
    ],
)
def test_what_is_wrong_is_named(
    project: Project, published: PublishedPipeline, arguments: dict[str, Any], said: str
) -> None:
    given = {"name": "nightly", "experiment_name": "e", "recurrence": DAILY, **arguments}
    with pytest.raises(UserErrorException) as error:
        Schedule.create(project.workspace, pipeline_id=published.id, **given)
    assert said in str(error.value)
    assert Schedule.list(project.workspace, active_only=False) == []


def test_a_schedule_fits_its_pipeline(project: Project, published: PublishedPipeline) -> None:
    def create(**options: Any) -> Schedule:
        return Schedule.create(project.workspace, "x", published.id, "e", DAILY, **options)

    with pytest.raises(PipelineParameterError, match="no parameter 'speed'; it has data, rate"):
        create(pipeline_parameters={"speed": 1})
    with pytest.raises(PipelineParameterError, match="must be float"):
        create(pipeline_parameters={"rate": "fast"})
    with pytest.raises(WorkspaceException, match="no published pipeline 'none'"):
        Schedule.create(project.workspace, "x", "none", "e", DAILY)
    with pytest.raises(WorkspaceException, match="datastore"):
        Schedule.create(project.workspace, "x", published.id, "e", datastore="nowhere")
    made = create()
    published.disable()
    with pytest.raises(UserErrorException, match="is disabled: enable"):
        create()
    made.disable()
    with pytest.raises(UserErrorException, match="is disabled: enable"):
        made.enable()


def test_a_schedule_whose_pipeline_or_datastore_is_of_no_use_can_be_disabled(
    project: Project, published: PublishedPipeline
) -> None:
    def workspace(*datastores: str) -> Workspace:
        lines = [f"  {name}: {{type: folder, path: {name}}}" for name in ("workspaceblobstore", *datastores)]
        (project.folder / "workspace.yaml").write_text("\n".join(["datastores:", *lines, ""]))
        return Workspace(folder=project.folder)

    made = Schedule.create(workspace("arrivals"), "x", published.id, "e", datastore="arrivals")
    published.disable()
    again = Schedule.get(workspace(), made.id)
    again.disable()
    again.update(pipeline_parameters={"speed": 1})
    with pytest.raises(UserErrorException, match="is disabled: enable"):
        again.enable()
    published.enable()
    with pytest.raises(WorkspaceException, match="arrivals"):
        again.enable()
    with pytest.raises(PipelineParameterError, match="'speed'"):
        Schedule.get(workspace("arrivals"), made.id).enable()
    assert Schedule.get(workspace(), made.id).status == "Disabled"


def test_changes_at_the_same_time_are_all_kept(project: Project, published: PublishedPipeline) -> None:
    made = Schedule.create(project.workspace, "x", published.id, "e", DAILY)
    changes: list[dict[str, Any]] = [
        {"name": "renamed"},
        {"description": "told"},
        {"continue_on_step_failure": True},
    ]
    others = [Schedule.get(project.workspace, made.id) for _ in changes]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda other, change: other.update(**change), others, changes))
    found = Schedule.get(project.workspace, made.id)
    assert (found.name, found.description, found.continue_on_step_failure) == ("renamed", "told", True)


YAML = """
Schedule:
  description: "Test create with recurrence"
  recurrence:
    frequency: Week
    interval: 2
    start_time: 2026-06-07T10:50:00
    time_zone: EasternStandardTime
    week_days: [Monday]
    hours: [1, 2]
    minutes: [30]
    time_of_day: None
  pipeline_parameters: {rate: 0.75}
  wait_for_provisioning: True
  datastore_name: None
"""


def test_arguments_come_from_yaml(project: Project, published: PublishedPipeline, tmp_path: Path) -> None:
    file = tmp_path / "schedule.yml"
    file.write_text(YAML)
    arguments = Schedule.load_yaml(project.workspace, file)
    assert set(arguments) == {"description", "recurrence", "pipeline_parameters", "wait_for_provisioning"}
    made = Schedule.create(
        project.workspace, name="x", pipeline_id=published.id, experiment_name="e", **arguments
    )
    assert made.recurrence == ScheduleRecurrence(
        "Week", 2, "2026-06-07T10:50:00", "EasternStandardTime", [1, 2], [30], ["Monday"]
    )
    assert made.recurrence.zone == "America/New_York"
    file.write_text("Schedule: {datastore_name: workspaceblobstore, path_on_datastore: in}")
    watching = Schedule.load_yaml(project.workspace, str(file))
    assert (watching["datastore"].name, watching["path_on_datastore"]) == ("workspaceblobstore", "in")
    for text, said in (
        ("Schedule: {repeat: 1}", "unknown setting 'repeat'"),
        ("Schedule: {recurrence: {frequency: Day}}", "the recurrence has no 'interval'"),
        ("Schedule: {recurrence: {frequency: Day, interval: 1, every: 1}}", "unknown setting 'every'"),
        ("[]", "has no settings below 'Schedule'"),
        ("{", "cannot be read as YAML"),
    ):
        file.write_text(text)
        with pytest.raises(UserErrorException, match=said):
            Schedule.load_yaml(project.workspace, file)
