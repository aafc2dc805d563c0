"""Schedule: runs a published pipeline again and again, by the clock or when data changes."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data import Datastore
from mlsteps.data.file_states import file_states
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.dag_ids import SCHEDULE, dag_id_of
from mlsteps.publishing.schedule_checks import check_names, check_pipeline, runs_when
from mlsteps.publishing.schedule_view import ScheduleView
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.records.schedules import ScheduleRecord, create_schedule, list_schedules, read_schedule
from mlsteps.records.watches import begin_watch

if TYPE_CHECKING:
    from mlsteps.recurrence import ScheduleRecurrence
    from mlsteps.workspace import Workspace


class Schedule(ScheduleView):
    """A schedule of a published pipeline; with the DAG bundle of published pipelines, a DAG of Airflow.

    Made by :meth:`create`, found by :meth:`get` and :meth:`list`. What needs waiting for in SDK v1 is done
    when a call returns, so ``wait_for_provisioning`` and ``wait_timeout`` change nothing.
    (SDK v1: ``azureml.pipeline.core.Schedule``.)
    """

    @staticmethod
    def create(
        workspace: Workspace,
        name: str,
        pipeline_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Datastore | str | None = None,
        polling_interval: float = 5,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: str | None = None,
    ) -> Schedule:
        """A new schedule of a published pipeline: with a recurrence, or with a datastore to look at.

        :param recurrence: When it runs.
        :param pipeline_parameters: Values by name; the others have their defaults.
        :param datastore: Runs are started by files that are new there or were written, from now on.
        :param polling_interval: Minutes from one look to the next.
        :param data_path_parameter_name: There is a run for each such file, and this DataPath parameter of it
            is the file. Without it there is one run for all that changed from one look to the next.
        :param path_on_datastore: The folder to look at, without folders in it. Default: the datastore's root.
        :raises UserErrorException: naming what is wrong.
        :raises WorkspaceException: there is no such pipeline.
        """
        return _create(
            workspace,
            {"pipeline_id": pipeline_id},
            name,
            experiment_name,
            description,
            pipeline_parameters,
            continue_on_step_failure,
            runs_when(recurrence, datastore, polling_interval, data_path_parameter_name, path_on_datastore),
        )

    @staticmethod
    def create_for_pipeline_endpoint(
        workspace: Workspace,
        name: str,
        pipeline_endpoint_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Datastore | str | None = None,
        polling_interval: float = 5,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: str | None = None,
    ) -> Schedule:
        """The same for an endpoint: it runs whatever is the default version when a run starts."""
        return _create(
            workspace,
            {"pipeline_endpoint_id": pipeline_endpoint_id},
            name,
            experiment_name,
            description,
            pipeline_parameters,
            continue_on_step_failure,
            runs_when(recurrence, datastore, polling_interval, data_path_parameter_name, path_on_datastore),
        )

    @staticmethod
    def get(workspace: Workspace, id: str) -> Schedule:
        """The schedule with this id.

        :raises WorkspaceException: the workspace has none.
        """
        record = read_schedule(workspace.record_store(), id)
        if record is None:
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no schedule {id!r}. Schedule.list(workspace, "
                f"active_only=False) says which it has."
            )
        found: Schedule = Schedule._of(workspace, record)
        return found

    @staticmethod
    def list(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: str | None = None,
        pipeline_endpoint_id: str | None = None,
    ) -> builtins.list[Schedule]:
        """The workspace's schedules, the newest first.

        :param active_only: Leave disabled ones out.
        :param pipeline_id: Only those of this published pipeline.
        :param pipeline_endpoint_id: Only those of this endpoint.
        :raises UserErrorException: both ids are given.
        """
        if pipeline_id is not None and pipeline_endpoint_id is not None:
            raise UserErrorException("Schedule.list: give pipeline_id or pipeline_endpoint_id, not both.")
        return [
            Schedule._of(workspace, record)
            for record in list_schedules(workspace.record_store())
            if (record.active or not active_only)
            and pipeline_id in (None, record.pipeline_id)
            and pipeline_endpoint_id in (None, record.pipeline_endpoint_id)
        ]

    @staticmethod
    def get_all(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: str | None = None,
        pipeline_endpoint_id: str | None = None,
    ) -> builtins.list[Schedule]:
        """The same as :meth:`list`, as SDK v1 called it earlier."""
        return Schedule.list(workspace, active_only, pipeline_id, pipeline_endpoint_id)

    @staticmethod
    def get_schedules_for_pipeline_id(workspace: Workspace, pipeline_id: str) -> builtins.list[Schedule]:
        """All schedules of a published pipeline, disabled ones as well."""
        return Schedule.list(workspace, active_only=False, pipeline_id=pipeline_id)

    @staticmethod
    def get_schedules_for_pipeline_endpoint_id(
        workspace: Workspace, pipeline_endpoint_id: str
    ) -> builtins.list[Schedule]:
        """All schedules of an endpoint, disabled ones as well."""
        return Schedule.list(workspace, active_only=False, pipeline_endpoint_id=pipeline_endpoint_id)

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> dict[str, Any]:
        """Arguments of :meth:`create` from a YAML file in SDK v1's format.

        :raises UserErrorException: the file cannot be read, or a setting of it is unknown.
        """
        from mlsteps.publishing.schedule_yaml import load_yaml

        return load_yaml(workspace, filename)

    def enable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Let it start runs again, by what comes from now on."""
        self.update(status=ACTIVE)

    def disable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Let it start no run until :meth:`enable`. Its DAG is paused."""
        self.update(status=DISABLED)

    def update(
        self,
        name: str | None = None,
        description: str | None = None,
        recurrence: ScheduleRecurrence | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        status: str | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Datastore | str | None = None,
        polling_interval: float | None = None,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
    ) -> None:
        """Change what is given; the rest stays. Its DAG keeps its id, under another name as well.

        A recurrence takes the place of a datastore, and a datastore that of a recurrence.

        :param status: ``Active`` or ``Disabled``.
        :raises UserErrorException: naming what is wrong.
        """
        if status not in (None, ACTIVE, DISABLED):
            raise UserErrorException(
                f"Schedule.update: status is {ACTIVE!r} or {DISABLED!r}, got {status!r}."
            )
        looks = (datastore, polling_interval, data_path_parameter_name, path_on_datastore)

        def change(before: ScheduleRecord) -> ScheduleRecord:
            after = before
            if recurrence is not None:
                after = replace(after, **runs_when(recurrence, *looks), begun=_now(), since=_now())
            elif any(given is not None for given in looks):
                kept = (
                    before.datastore_name,
                    before.polling_interval,
                    before.data_path_parameter_name,
                    before.path_on_datastore,
                )
                pairs = zip(looks, kept, strict=True)
                after = replace(
                    after, **runs_when(None, *(old if new is None else new for new, old in pairs))
                )
            given: dict[str, Any] = {
                "name": name,
                "description": description,
                "parameters": None if pipeline_parameters is None else dict(pipeline_parameters),
                "status": status,
                "continue_on_step_failure": continue_on_step_failure,
            }
            after = replace(after, **{key: value for key, value in given.items() if value is not None})
            if after.active and not before.active:
                after = replace(after, since=_now(), dag_id=_free_dag_id(self._workspace, after))
            check_names(after.name, after.experiment_name)
            if after != before and after.active:  # what is wrong by now can still be disabled
                after = check_pipeline(self._workspace, after)
                _begin(self._workspace, after)
            return after

        self._change(change)


def _create(
    workspace: Workspace,
    runs: Mapping[str, Any],
    name: str,
    experiment_name: str,
    description: str | None,
    parameters: Mapping[str, Any] | None,
    continue_on_step_failure: bool | None,
    when: Mapping[str, Any],
) -> Schedule:
    check_names(name, experiment_name)
    now = _now()
    record = ScheduleRecord(
        id=str(uuid4()),
        name=name,
        description=description or "",
        status=ACTIVE,
        created=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        dag_id="",
        experiment_name=experiment_name,
        begun=now,
        since=now,
        parameters=dict(parameters or {}),
        continue_on_step_failure=continue_on_step_failure,
        **{**runs, **when},
    )
    record = check_pipeline(workspace, record)
    record = replace(record, dag_id=_free_dag_id(workspace, record))
    _begin(workspace, record)
    create_schedule(workspace.record_store(), record)
    return Schedule.get(workspace, record.id)


def _begin(workspace: Workspace, record: ScheduleRecord) -> None:
    """Count what is there now as seen, unless another schedule looks there already."""
    watch, store = record.watch, workspace.record_store()
    if watch is None:
        return
    for other in list_schedules(store):
        if other.watch == watch and other.active:
            return
    begin_watch(store, watch.id, file_states(Datastore(workspace, watch.datastore).store, watch.path))


def _free_dag_id(workspace: Workspace, record: ScheduleRecord) -> str:
    """The id of a schedule's DAG. One that an active schedule has is nobody else's."""
    taken = {
        other.dag_id
        for other in list_schedules(workspace.record_store())
        if other.active and other.id != record.id
    }
    plain = record.dag_id or dag_id_of(SCHEDULE, record.name)
    return plain if plain not in taken else dag_id_of(SCHEDULE, f"{record.name}--{record.id[:8]}")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
