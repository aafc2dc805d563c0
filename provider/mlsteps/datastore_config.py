"""What a datastore's name stands for: its kind, its place, the connection that opens it. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlsteps.exceptions import WorkspaceException

FOLDER = "folder"
# A connection of type mlsteps_datastore says the rest.
BY_CONNECTION = "connection"

SQL_KINDS = ("azure_sql", "postgresql", "mysql", "sqlite")


@dataclass(frozen=True)
class _Kind:
    """Settings of a kind of datastore.

    :param needed: Those without which there is no such datastore.
    :param optional: The others; true or false is wanted where the default is.
    """

    needed: tuple[str, ...]
    optional: Mapping[str, Any] = field(default_factory=dict)


KINDS: Mapping[str, _Kind] = {
    FOLDER: _Kind(("path",)),
    "azure_blob": _Kind(
        ("container",),
        {
            "account_name": "",
            "conn_id": "wasb_default",
            "prefix": "",
            "create_if_not_exists": False,
            "public_read": False,
        },
    ),
    "azure_file": _Kind(("share",), {"account_name": "", "conn_id": "wasb_default", "prefix": ""}),
    "object_storage": _Kind(("url",), {"conn_id": ""}),
    BY_CONNECTION: _Kind(("conn_id",)),
    **{kind: _Kind(("conn_id",)) for kind in SQL_KINDS},
}

_SECRETS = {
    "account_key",
    "client_secret",
    "connection_string",
    "key",
    "password",
    "sas_token",
    "secret",
    "shared_access_key",
}


@dataclass(frozen=True)
class DatastoreConfig:
    """A datastore as a workspace's configuration or its registry describes it.

    :param kind: One of :data:`KINDS`.
    :param settings: All settings of its kind, those that were not given with their defaults.
    """

    kind: str
    settings: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where a datastore of kind ``folder`` lies."""
        return Path(self.settings["path"])

    @property
    def is_sql(self) -> bool:
        """Whether it holds tables, and no files."""
        return self.kind in SQL_KINDS

    def to_json(self) -> dict[str, Any]:
        """As it is written in ``workspace.yaml``, and kept in the registry."""
        return {"type": self.kind, **self.settings}


def folder_datastore(folder: Path) -> DatastoreConfig:
    """The datastore that is a folder."""
    return DatastoreConfig(FOLDER, {"path": str(folder)})


def parse_datastore(name: str, given: object, source: str, base: Path) -> DatastoreConfig:
    """A datastore from loose settings: a folder's path, or settings with their ``type``.

    :param source: Where they are from, for errors.
    :param base: Relative folders are below this one.
    :raises WorkspaceException: naming the datastore and the setting that is wrong.
    """
    if isinstance(given, str):
        given = {"path": given}
    if not isinstance(given, dict):
        raise WorkspaceException(
            f"{source}: datastore {name!r} needs a 'path', the folder that it is, or settings by name."
        )
    settings = {key: value for key, value in given.items() if key != "type" and value is not None}
    kind = given.get("type", _implied(settings))
    if kind not in KINDS:
        raise WorkspaceException(
            f"{source}: datastore {name!r} has the unknown type {kind!r}; "
            f"known are {', '.join(sorted(KINDS))}."
        )
    for key, value in settings.items():
        _check(f"{source}: datastore {name!r}", kind, key, value)
    missing = [key for key in KINDS[kind].needed if not settings.get(key)]
    if missing:
        what = ", the folder that it is" if missing[0] == "path" else f", as its type is {kind}"
        raise WorkspaceException(f"{source}: datastore {name!r} needs a {missing[0]!r}{what}.")
    if kind == FOLDER:
        return folder_datastore(base / Path(settings["path"]).expanduser())
    return DatastoreConfig(kind, {**KINDS[kind].optional, **settings})


def _implied(settings: Mapping[str, Any]) -> str:
    return BY_CONNECTION if set(settings) == {"conn_id"} else FOLDER


def _check(where: str, kind: str, key: str, value: object) -> None:
    known = {**dict.fromkeys(KINDS[kind].needed, ""), **KINDS[kind].optional}
    if key in _SECRETS:
        raise WorkspaceException(
            f"{where}: {key!r} is a secret, and this is no place for one. Put it into an Airflow connection, "
            f"and give its id as 'conn_id'."
        )
    if key not in known:
        raise WorkspaceException(f"{where}: unknown setting {key!r}; known are {', '.join(sorted(known))}.")
    wanted = type(known[key])
    if not isinstance(value, wanted):
        what = "true or false" if wanted is bool else "a text"
        raise WorkspaceException(f"{where}: {key!r} must be {what}, got {value!r}.")
