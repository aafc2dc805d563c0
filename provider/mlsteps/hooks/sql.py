"""Opens a SqlStore from an Airflow connection of a database, through the hook that its provider brings."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from mlsteps.compat import AirflowNotFoundException
from mlsteps.exceptions import DatastoreException, MlstepsException, WorkspaceException

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from sqlalchemy.engine import Engine

    from mlsteps.data.sql import SqlStore


@dataclass(frozen=True)
class _Database:
    """A type of connection: which datastores it may be for, and what brings its hook."""

    kind: str
    module: str
    package: str


_DATABASES = {
    "postgres": _Database("postgresql", "airflow.providers.postgres", "apache-airflow-providers-postgres"),
    "mysql": _Database("mysql", "airflow.providers.mysql", "apache-airflow-providers-mysql"),
    "sqlite": _Database("sqlite", "airflow.providers.sqlite", "apache-airflow-providers-sqlite"),
    "mssql": _Database(
        "azure_sql", "airflow.providers.microsoft.mssql", "apache-airflow-providers-microsoft-mssql"
    ),
    "odbc": _Database("azure_sql", "airflow.providers.odbc", "apache-airflow-providers-odbc"),
}
# These say what a cursor gives or how a URL starts, for other users of the connection.
_NOT_FOR_US = ("cursor", "sqlalchemy_scheme")


def open_sql_store(conn_id: str, kind: str | None = None) -> SqlStore:
    """The database of an Airflow connection. Nothing is connected to yet.

    Drivers, TLS and other options are those of the connection and of its provider.

    :param kind: What the datastore was declared as: ``azure_sql``, ``postgresql``, ``mysql`` or ``sqlite``.
    :raises WorkspaceException: there is no such connection, it is of another kind, or the package that it
        needs is not installed; the text names the package.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        types = ", ".join(name for name, known in _DATABASES.items() if kind in (None, known.kind))
        raise WorkspaceException(
            f"Airflow has no connection {conn_id!r}, which a SQL datastore needs. Add one of type {types}."
        ) from None
    database = _database(conn_id, connection.conn_type or "", kind)
    try:
        from mlsteps.data.sql import SqlStore
    except ModuleNotFoundError as error:
        raise WorkspaceException(
            f"SQL datastores need {error.name}, which is not installed: "
            f"pip install 'airflow-provider-mlsteps[sql]'"
        ) from None
    if not _is_installed(database.module):
        raise WorkspaceException(
            f"Airflow connection {conn_id!r} is of type {connection.conn_type!r}, whose provider is not "
            f"installed: pip install {database.package}"
        )
    return SqlStore(lambda: _engine(conn_id, connection), f"Airflow connection {conn_id!r}")


def _database(conn_id: str, conn_type: str, kind: str | None) -> _Database:
    database = _DATABASES.get(conn_type)
    if database is None or kind not in (None, database.kind):
        fitting = [name for name, known in _DATABASES.items() if kind in (None, known.kind)]
        raise WorkspaceException(
            f"Airflow connection {conn_id!r} is of type {conn_type!r}; a datastore of type {kind or 'SQL'} "
            f"needs one of type {' or '.join(fitting)}."
        )
    return database


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def _engine(conn_id: str, connection: Connection) -> Engine:
    """SQLAlchemy's engine for a connection.

    :raises DatastoreException: it cannot be made; without the text of errors that quote the URL.
    """
    from sqlalchemy.pool import NullPool

    # A verb has its own connection, and tasks are short: nothing is kept open.
    options: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}
    try:
        if connection.conn_type == "odbc":
            options["fast_executemany"] = True  # otherwise pyodbc makes a round trip for each row
        if connection.conn_type not in ("postgres", "mysql"):
            hook: Any = _hook(connection)
            return cast("Engine", hook.get_sqlalchemy_engine(options))
        ours = _without_extras_for_others(connection)
        hook = _hook(connection, {"connection": ours})
        if ours.extra_dejson.get("client") != "pymysql":  # for which the hook has a URL only
            # The URL lacks the connection's options, such as sslmode; the hook's own way to connect has them.
            options["creator"] = lambda: _connected(conn_id, hook)
        return cast("Engine", hook.get_sqlalchemy_engine(options))
    except ModuleNotFoundError as error:
        raise DatastoreException(
            f"Airflow connection {conn_id!r} needs the Python package {error.name!r}, which is not installed."
        ) from None
    except MlstepsException:
        raise
    except Exception as error:
        raise DatastoreException(
            f"Airflow connection {conn_id!r} cannot be used by SQLAlchemy ({type(error).__name__}; its text "
            f"is left out as it may hold the password). Check host, port, schema and extra."
        ) from None


def _connected(conn_id: str, hook: Any) -> Any:
    """The driver's connection; its own errors are SQLAlchemy's to tell, those of the hook are told here."""
    try:
        return hook.get_conn()
    except (AirflowException, ImportError, RuntimeError, ValueError) as error:
        raise DatastoreException(f"Airflow connection {conn_id!r} cannot be used: {error}") from None


def _hook(connection: Connection, hook_params: dict[str, Any] | None = None) -> Any:
    return connection.get_hook(hook_params=hook_params)  # type: ignore[no-untyped-call]


def _without_extras_for_others(connection: Connection) -> Connection:
    extra = {name: value for name, value in connection.extra_dejson.items() if name not in _NOT_FOR_US}
    if connection.conn_type == "mysql" and extra.get("client", "mysqlclient") == "mysqlclient":
        extra.setdefault("charset", "utf8mb4")
    ours = copy.copy(connection)
    ours.extra = json.dumps(extra)
    return ours
