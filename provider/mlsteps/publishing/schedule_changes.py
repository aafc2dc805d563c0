"""Making and changing a schedule: its record, the id of its DAG, and what counts as seen from now on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data import Datastore
from mlsteps.data.file_states import file_states
from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.dag_ids import dag_id_of
from mlsteps.publishing.schedule_checks import check_names, check_pipeline, runs_when
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.records.schedules import SCHEDULES, ScheduleRecord
from mlsteps.records.watches import begin_watch
from mlsteps.run.journal import utc_now
from mlsteps.runs.dag_ids import SCHEDULE

if TYPE_CHECKING:
    from mlsteps.recurrence import ScheduleRecurrence
    from mlsteps.workspace import Workspace


def fields_of(
    description: str | None,
    parameters: Mapping[str, Any] | None,
    continue_on_step_failure: bool | None,
    recurrence: ScheduleRecurrence | None,
    looks: tuple[Any, Any, Any, Any],
) -> dict[str, Any]:
    """Fields of a new schedule's record, but for what it runs.

    :param looks: Datastore, interval, parameter and path of one that looks at data.
    :raises UserErrorException: naming what is wrong.
    """
    return {
        "description": description or "",
        "parameters": dict(parameters or {}),
        "continue_on_step_failure": continue_on_step_failure,
        **runs_when(recurrence, *looks),
    }


def create(
    workspace: Workspace, name: str, experiment_name: str, fields: Mapping[str, Any]
) -> ScheduleRecord:
    """Write a new schedule.

    :param fields: Of its record, as far as somebody said.
    :raises UserErrorException: naming what is wrong.
    """
    check_names(name, experiment_name)
    now = _now()
    record = ScheduleRecord(
        id=str(uuid4()),
        name=name,
        status=ACTIVE,
        created=utc_now(),
        dag_id="",
        experiment_name=experiment_name,
        begun=now,
        since=now,
        **fields,
    )
    record = check_pipeline(workspace, record)
    record = replace(record, dag_id=_free_dag_id(workspace, record))
    _begin(workspace, record)
    SCHEDULES.create(workspace.record_store(), record)
    return record


def changed(
    workspace: Workspace,
    before: ScheduleRecord,
    given: Mapping[str, Any],
    recurrence: ScheduleRecurrence | None,
    looks: tuple[Any, Any, Any, Any],
) -> ScheduleRecord:
    """A schedule's record with changes; see ``Schedule.update``.

    :param given: Fields; None is no change.
    :param looks: Datastore, interval, parameter and path of one that looks at data.
    :raises UserErrorException: naming what is wrong.
    """
    if given["status"] not in (None, ACTIVE, DISABLED):
        raise UserErrorException(
            f"Schedule.update: status is {ACTIVE!r} or {DISABLED!r}, got {given['status']!r}."
        )
    after = before
    if recurrence is not None:
        after = replace(after, **runs_when(recurrence, *looks), begun=_now(), since=_now())
    elif any(one is not None for one in looks):
        kept = (
            before.datastore_name,
            before.polling_interval,
            before.data_path_parameter_name,
            before.path_on_datastore,
        )
        pairs = zip(looks, kept, strict=True)
        after = replace(after, **runs_when(None, *(old if new is None else new for new, old in pairs)))
    after = replace(after, **{name: value for name, value in given.items() if value is not None})
    if after.active and not before.active:
        after = replace(after, since=_now(), dag_id=_free_dag_id(workspace, after))
    check_names(after.name, after.experiment_name)
    if after != before and after.active:  # what is wrong by now can still be disabled
        after = check_pipeline(workspace, after)
        _begin(workspace, after)
    return after


def _begin(workspace: Workspace, record: ScheduleRecord) -> None:
    """Count what is there now as seen, unless another schedule looks there already."""
    watch, store = record.watch, workspace.record_store()
    if watch is None:
        return
    for other in SCHEDULES.list(store):
        if other.watch == watch and other.active:
            return
    begin_watch(store, watch.id, file_states(Datastore(workspace, watch.datastore).store, watch.path))


def _free_dag_id(workspace: Workspace, record: ScheduleRecord) -> str:
    """The id of a schedule's DAG. One that an active schedule has is nobody else's."""
    taken = {
        other.dag_id
        for other in SCHEDULES.list(workspace.record_store())
        if other.active and other.id != record.id
    }
    plain = record.dag_id or dag_id_of(SCHEDULE, record.name)
    return plain if plain not in taken else dag_id_of(SCHEDULE, f"{record.name}--{record.id[:8]}")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
