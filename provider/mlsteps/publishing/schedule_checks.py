"""What a schedule may be: names, when it runs, and whether that fits its pipeline."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.data import DataPath, Datastore
from mlsteps.data.names import is_text
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.pipeline_endpoint import PipelineEndpoint
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.recurrence import ScheduleRecurrence

if TYPE_CHECKING:
    from mlsteps.records.schedules import ScheduleRecord
    from mlsteps.workspace import Workspace


def check_names(name: object, experiment_name: object) -> None:
    """Both are texts.

    :raises UserErrorException: one is not.
    """
    for what, given in (("name", name), ("experiment_name", experiment_name)):
        if not is_text(given) or not str(given).strip():
            raise UserErrorException(f"Schedule, argument {what!r}: expected a text, got {given!r}.")


def runs_when(
    recurrence: ScheduleRecurrence | None,
    datastore: Any = None,
    polling_interval: Any = None,
    data_path_parameter_name: Any = None,
    path_on_datastore: Any = None,
) -> dict[str, Any]:
    """The fields of a record that say when it runs.

    :raises UserErrorException: both a recurrence and a datastore are given, or neither, or one is wrong.
    """
    looks = {
        "datastore": datastore,
        "data_path_parameter_name": data_path_parameter_name,
        "path_on_datastore": path_on_datastore,
    }
    if recurrence is not None:
        if not isinstance(recurrence, ScheduleRecurrence):
            raise UserErrorException(
                f"Schedule, argument 'recurrence': expected a ScheduleRecurrence, got {recurrence!r}."
            )
        recurrence.validate()
        too_much = next((name for name, value in looks.items() if value is not None), None)
        if too_much is not None:
            raise UserErrorException(
                f"Schedule, argument {too_much!r}: a schedule has a recurrence, or a datastore that it looks "
                f"at. Leave out the one or the other."
            )
        return {
            "recurrence": recurrence.to_dict(),
            "datastore_name": None,
            "path_on_datastore": None,
            "data_path_parameter_name": None,
        }
    if datastore is None:
        raise UserErrorException("Schedule: give recurrence, or datastore for one that looks at data.")
    minutes = 5 if polling_interval is None else polling_interval
    if type(minutes) not in (int, float) or not 0 < minutes < math.inf:
        raise UserErrorException(f"Schedule, argument 'polling_interval': expected minutes, got {minutes!r}.")
    name = datastore.name if isinstance(datastore, Datastore) else datastore
    if not is_text(name):
        raise UserErrorException(f"Schedule, argument 'datastore': expected a Datastore, got {datastore!r}.")
    return {
        "recurrence": None,
        "datastore_name": name,
        "path_on_datastore": clean_path(path_on_datastore or "", "path_on_datastore") or None,
        "polling_interval": minutes,
        "data_path_parameter_name": data_path_parameter_name,
    }


def check_pipeline(workspace: Workspace, record: ScheduleRecord) -> ScheduleRecord:
    """The record with its parameters as the pipeline takes them.

    :raises UserErrorException: the pipeline is disabled, or the parameter for changed files is none of it.
    :raises PipelineParameterError: a parameter is unknown or has another type.
    :raises WorkspaceException: there is no such pipeline, endpoint or datastore.
    """
    if record.pipeline_endpoint_id is not None:
        endpoint = PipelineEndpoint.get(workspace, id=record.pipeline_endpoint_id)
        published, active = endpoint.get_pipeline(), endpoint.status == ACTIVE
    else:
        published, active = PublishedPipeline.get(workspace, str(record.pipeline_id)), True
    if not (active and published.status == ACTIVE):
        raise UserErrorException(f"Schedule {record.name!r}: {published!r} is disabled: enable() it.")
    if record.datastore_name is not None:
        _ = Datastore(workspace, record.datastore_name).store
    pipeline = published.pipeline()
    known = pipeline.parameters
    changed = record.data_path_parameter_name
    if changed is not None and not (
        changed in known and isinstance(known[changed].default_value, (DataPath, str))
    ):
        paths = [name for name, one in known.items() if isinstance(one.default_value, DataPath)]
        raise UserErrorException(
            f"Schedule {record.name!r}, argument 'data_path_parameter_name': the pipeline has no DataPath "
            f"parameter {changed!r}; it has {', '.join(paths) or 'none'}."
        )
    return replace(record, parameters=pipeline.read_parameters(record.parameters))
