"""Reading a schedule from SDK v1's YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlsteps.data import Datastore
from mlsteps.exceptions import UserErrorException
from mlsteps.recurrence import ScheduleRecurrence

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

_ROOT = "Schedule"
_FIELDS = (
    "description",
    "pipeline_parameters",
    "wait_for_provisioning",
    "wait_timeout",
    "polling_interval",
    "data_path_parameter_name",
    "continue_on_step_failure",
    "path_on_datastore",
)
_OF_RECURRENCE = (
    "frequency",
    "interval",
    "start_time",
    "time_zone",
    "hours",
    "minutes",
    "week_days",
    "time_of_day",
)


def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> dict[str, Any]:
    """Arguments of ``Schedule.create``; see there.

    :raises UserErrorException: the file cannot be read, or a setting of it is unknown.
    """
    try:
        read = yaml.safe_load(Path(filename).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserErrorException(f"{os.fspath(filename)} cannot be read as YAML: {error}") from None
    settings = read.get(_ROOT) if isinstance(read, dict) else None
    if not isinstance(settings, dict):
        raise UserErrorException(f"{os.fspath(filename)} has no settings below {_ROOT!r}.")
    settings = {str(name): _plain(value) for name, value in settings.items()}
    recurrence, datastore = settings.pop("recurrence", None), settings.pop("datastore_name", None)
    _check(filename, settings, _FIELDS)
    made: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if isinstance(recurrence, dict):
        of_recurrence = {str(name): _plain(value) for name, value in recurrence.items()}
        _check(filename, of_recurrence, _OF_RECURRENCE)
        for name in ("frequency", "interval"):
            if name not in of_recurrence:
                raise UserErrorException(f"{os.fspath(filename)}: the recurrence has no {name!r}.")
        made["recurrence"] = ScheduleRecurrence(**of_recurrence)
        made["recurrence"].validate()
    if datastore is not None:
        made["datastore"] = Datastore.get(workspace, datastore)
    return made


def _check(filename: str | os.PathLike[str], settings: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in settings:
        if name not in known:
            raise UserErrorException(
                f"{os.fspath(filename)}: unknown setting {name!r}; known are {', '.join(known)}."
            )


def _plain(value: Any) -> Any:
    """SDK v1's examples write None in Python's words."""
    return None if value == "None" else value
