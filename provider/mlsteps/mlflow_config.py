"""What a workspace says of an MLflow that it is forwarded to: ``mlflow`` in ``workspace.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlsteps.exceptions import WorkspaceException

_KEYS = ("tracking_uri", "conn_id", "enabled", "max_file_mb", "timeout")


@dataclass(frozen=True)
class MlflowConfig:
    """Where runs and models are forwarded to, and how much of them.

    :param tracking_uri: The address of an MLflow server, without credentials; empty leaves it to the
        connection, or to the variable ``MLFLOW_TRACKING_URI``.
    :param conn_id: The connection with its user and password, or its token; empty for none.
    :param enabled: Whether anything is forwarded at all.
    :param max_file_mb: Files that are larger, in millions of bytes, stay where they are and are named.
    :param timeout: Seconds that the forwarding of one step may take.
    """

    tracking_uri: str = ""
    conn_id: str = ""
    enabled: bool = True
    max_file_mb: float = 100
    timeout: float = 60


def parse_mlflow(given: Mapping[str, Any], source: str) -> MlflowConfig:
    """The section from loose settings.

    :param source: Where they are from, for errors.
    :raises WorkspaceException: naming the setting that is wrong.
    """
    where = f"{source}: 'mlflow'"
    for key, value in given.items():
        _check(where, key, value)
    return MlflowConfig(**given)


def check_tracking_uri(uri: str, where: str) -> None:
    """Refuse what is no address of a server, and what holds a secret.

    :param where: Who gives it, for errors.
    :raises WorkspaceException: it does; the text does not repeat it then.
    """
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise WorkspaceException(
            f"{where}: the tracking_uri holds credentials, and this is no place for them. Put them into an "
            f"Airflow connection of type http, and give its id as 'conn_id'."
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise WorkspaceException(
            f"{where}: tracking_uri must be the address of an MLflow server, such as "
            f"http://mlflow.example.com:5000, got {uri!r}."
        )


def _check(where: str, key: str, value: object) -> None:
    if key not in _KEYS:
        raise WorkspaceException(
            f"{where}: unknown setting {key!r}; known are {', '.join(_KEYS)}. Credentials belong into the "
            f"Airflow connection that 'conn_id' names."
        )
    if key == "enabled":
        fits, what = isinstance(value, bool), "true or false"
    elif key in ("max_file_mb", "timeout"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits, what = number and float(str(value)) > 0, "a number above 0"
    else:
        fits, what = isinstance(value, str), "a text"
    if not fits:
        raise WorkspaceException(f"{where}: {key!r} must be {what}, got {value!r}.")
    if key == "tracking_uri" and value:
        check_tracking_uri(str(value), where)
