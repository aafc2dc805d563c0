"""Schedule: runs a published pipeline again and again, by the clock or when data changes."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.schedule_changes import changed, create, fields_of
from mlsteps.publishing.schedule_view import ScheduleView, known
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.records.schedules import SCHEDULES

if TYPE_CHECKING:
    from mlsteps.data import Datastore
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
        looks = (datastore, polling_interval, data_path_parameter_name, path_on_datastore)
        fields = fields_of(description, pipeline_parameters, continue_on_step_failure, recurrence, looks)
        fields["pipeline_id"] = pipeline_id
        return Schedule.get(workspace, create(workspace, name, experiment_name, fields).id)

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
        looks = (datastore, polling_interval, data_path_parameter_name, path_on_datastore)
        fields = fields_of(description, pipeline_parameters, continue_on_step_failure, recurrence, looks)
        fields["pipeline_endpoint_id"] = pipeline_endpoint_id
        return Schedule.get(workspace, create(workspace, name, experiment_name, fields).id)

    @staticmethod
    def get(workspace: Workspace, id: str) -> Schedule:
        """The schedule with this id.

        :raises WorkspaceException: the workspace has none.
        """
        found: Schedule = Schedule._of(workspace, known(workspace, id))
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
            for record in SCHEDULES.list(workspace.record_store())
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
        given = {
            "name": name,
            "description": description,
            "parameters": pipeline_parameters,
            "status": status,
            "continue_on_step_failure": continue_on_step_failure,
        }
        looks = (datastore, polling_interval, data_path_parameter_name, path_on_datastore)
        self._change(lambda before: changed(self._workspace, before, given, recurrence, looks))
