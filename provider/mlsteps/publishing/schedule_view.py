"""ScheduleView: what a schedule is, and the runs that came of it."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import WorkspaceException
from mlsteps.publishing.named import Named
from mlsteps.records import list_runs
from mlsteps.records.schedules import SCHEDULES, ScheduleRecord
from mlsteps.recurrence import ScheduleRecurrence
from mlsteps.runs import Experiment, PipelineRun

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

# The tag of a run that says which schedule it came of.
SCHEDULE_TAG = "schedule_id"


class ScheduleView(Named[ScheduleRecord]):
    """The reading half of a :class:`~mlsteps.Schedule`. What it is, is read from the workspace by its id."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str,
        pipeline_id: str | None,
        status: str,
        recurrence: ScheduleRecurrence | None,
        datastore_name: str | None,
        polling_interval: float,
        data_path_parameter_name: str | None,
        continue_on_step_failure: bool | None,
        path_on_datastore: str | None,
        _schedule_provider: Any = None,
        pipeline_endpoint_id: str | None = None,
    ) -> None:
        self._workspace = workspace
        self._record = known(workspace, id)

    @classmethod
    def _of(cls, workspace: Workspace, record: ScheduleRecord) -> Any:
        made = cls.__new__(cls)
        made._workspace, made._record = workspace, record
        return made

    def __repr__(self) -> str:
        return f"Schedule(name={self.name!r}, id={self.id!r}, status={self.status!r})"

    @property
    def status(self) -> str:
        """``Active`` or ``Disabled``."""
        return self._record.status

    @property
    def dag_id(self) -> str:
        """The id of its DAG: ``schedule.<name>``, as it was called at first. (Not in SDK v1.)"""
        return self._record.dag_id

    @property
    def pipeline_id(self) -> str | None:
        """The id of the published pipeline that it runs; None if it runs an endpoint."""
        return self._record.pipeline_id

    @property
    def pipeline_endpoint_id(self) -> str | None:
        """The id of the endpoint whose default version it runs; None if it runs a pipeline."""
        return self._record.pipeline_endpoint_id

    @property
    def recurrence(self) -> ScheduleRecurrence | None:
        """When it runs; None if it looks at data."""
        fields = self._record.recurrence
        return None if fields is None else ScheduleRecurrence.from_dict(fields)

    @property
    def datastore_name(self) -> str | None:
        """The datastore that it looks at."""
        return self._record.datastore_name

    @property
    def path_on_datastore(self) -> str | None:
        """The folder that it looks at; None is the datastore's root."""
        return self._record.path_on_datastore

    @property
    def polling_interval(self) -> float:
        """Minutes from one look to the next."""
        return self._record.polling_interval

    @property
    def data_path_parameter_name(self) -> str | None:
        """The parameter that a run gets a changed file by."""
        return self._record.data_path_parameter_name

    @property
    def continue_on_step_failure(self) -> bool | None:
        """Whether steps go on that do not depend on one that failed; None is Airflow's rule: they do."""
        return self._record.continue_on_step_failure

    def get_pipeline_runs(self) -> builtins.list[PipelineRun]:
        """The runs that came of it and have begun, the newest first."""
        store = self._workspace.record_store()
        return [
            PipelineRun(Experiment(self._workspace, run.experiment), run.run_id, _dag_id=run.dag_id)
            for run in list_runs(store, self._record.dag_id)
            if run.tags.get(SCHEDULE_TAG) == self.id
        ]

    def get_last_pipeline_run(self) -> PipelineRun | None:
        """The newest of these runs, or None."""
        runs = self.get_pipeline_runs()
        return runs[0] if runs else None

    def _change(self, change: Callable[[ScheduleRecord], ScheduleRecord]) -> None:
        self._record = SCHEDULES.change(self._workspace.record_store(), self.id, change)


def known(workspace: Workspace, id: str) -> ScheduleRecord:
    """The record of a schedule.

    :raises WorkspaceException: the workspace has none with this id.
    """
    record = SCHEDULES.read(workspace.record_store(), id)
    if record is None:
        raise WorkspaceException(
            f"Workspace {workspace.name!r} has no schedule {id!r}. Schedule.list(workspace, "
            f"active_only=False) says which it has; Schedule.create makes one."
        )
    return record
