"""Schedules as the workspace's registry has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.records.states import States
from mlsteps.records.watches import Watch


@dataclass(frozen=True)
class ScheduleRecord:
    """A schedule as it is at one time. It has either a recurrence or a datastore.

    :param status: ``Active`` or ``Disabled``.
    :param dag_id: Of its DAG, which stays the same whatever else changes.
    :param pipeline_id: Of a published pipeline; or else there is ``pipeline_endpoint_id``.
    :param parameters: Values of the pipeline's parameters.
    :param recurrence: As ``ScheduleRecurrence.to_dict`` writes it.
    :param begun: When it got its recurrence, UTC.
    :param since: When it became active, UTC: there is no run of a moment before that.
    :param polling_interval: Minutes.
    """

    id: str
    name: str
    description: str
    status: str
    created: str
    dag_id: str
    experiment_name: str
    begun: str
    since: str
    pipeline_id: str | None = None
    pipeline_endpoint_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    recurrence: Mapping[str, Any] | None = None
    datastore_name: str | None = None
    path_on_datastore: str | None = None
    polling_interval: float = 5
    data_path_parameter_name: str | None = None
    continue_on_step_failure: bool | None = None

    @property
    def active(self) -> bool:
        """Whether it runs its pipeline."""
        return self.status == ACTIVE

    @property
    def watch(self) -> Watch | None:
        """What it looks at, if it looks at data."""
        if self.datastore_name is None:
            return None
        return Watch(self.datastore_name, self.path_on_datastore or "", self.polling_interval)


SCHEDULES = States("mlsteps/registry/schedules", 1, ScheduleRecord)
