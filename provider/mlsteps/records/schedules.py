"""Schedules: each change is one more file with all of a schedule in it, made by who is first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.records.store import RecordStore, dump_json, read_record, record_of
from mlsteps.records.versions import newest_path, next_path
from mlsteps.records.watches import Watch

VERSION = 1
SCHEDULES = "mlsteps/registry/schedules"


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


def create_schedule(store: RecordStore, record: ScheduleRecord) -> None:
    """Write a new schedule."""
    store.create(f"{_folder(record.id)}/1.json", _dump(record))


def schedule_of(data: bytes, path: str) -> ScheduleRecord:
    """The schedule that a file has which was read before.

    :raises RecordFormatError: it is none.
    """
    return record_of(data, path, VERSION, _from_json)


def read_schedule(store: RecordStore, id: str) -> ScheduleRecord | None:
    """A schedule as it is now, or None."""
    path = newest_path(store, _folder(id))
    return None if path is None else read_record(store, path, VERSION, _from_json)


def list_schedules(store: RecordStore) -> list[ScheduleRecord]:
    """Every schedule, the newest first."""
    found = (read_schedule(store, name) for name in store.list_names(SCHEDULES))
    there = [record for record in found if record is not None]
    return sorted(there, key=lambda record: (record.created, record.id), reverse=True)


def change_schedule(
    store: RecordStore, id: str, change: Callable[[ScheduleRecord], ScheduleRecord]
) -> ScheduleRecord:
    """Change a schedule, whatever others change at the same time.

    :param change: Makes the new state of the one that is there; called again if somebody else was first.
    """
    while True:
        path = next_path(store, _folder(id))
        before = read_schedule(store, id)
        assert before is not None
        after = change(before)
        if after == before or store.create(path, _dump(after)):
            return after


def _folder(id: str) -> str:
    return f"{SCHEDULES}/{path_part(id)}"


def _dump(record: ScheduleRecord) -> bytes:
    return dump_json({"version": VERSION, **asdict(record)})


_FIELDS = {f.name for f in fields(ScheduleRecord)}


def _from_json(value: dict[str, Any]) -> ScheduleRecord:
    return ScheduleRecord(**{key: part for key, part in value.items() if key in _FIELDS})
