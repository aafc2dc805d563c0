"""How long a query may take: told to the database where it can be told, and watched between batches here."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil

from sqlalchemy.engine import Connection

from mlsteps.data.sql.databases import family
from mlsteps.exceptions import DatastoreException, UserErrorException

_SQLITE_STEPS = 10_000  # instructions of SQLite between two looks at the clock


class Deadline:
    """The end of a query's time.

    :param seconds: From now on; None is no end.
    :raises UserErrorException: not a positive number.
    """

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise UserErrorException(
                f"timeout must be a positive number of seconds or None, got {seconds!r}."
            )
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self._end is not None and time.monotonic() > self._end

    def check(self, label: str, doing: str) -> None:
        """:raises DatastoreException: the time is up."""
        if self.passed:
            raise DatastoreException(
                f"{label}: {doing} took longer than its timeout of {self.seconds:g} seconds. "
                f"Give it more, or ask for less."
            )

    def tell(self, connection: Connection) -> None:
        """Have the database stop the statements of this connection after the time."""
        if self.seconds is not None and (teller := _TELLERS.get(family(connection.dialect))):
            teller(connection, self)


def _postgresql(connection: Connection, deadline: Deadline) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {ceil((deadline.seconds or 0) * 1000)}")


def _mysql(connection: Connection, deadline: Deadline) -> None:
    seconds = deadline.seconds or 0
    if getattr(connection.dialect, "is_mariadb", False):
        connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds:.3f}")
    else:
        connection.exec_driver_sql(f"SET SESSION max_execution_time = {ceil(seconds * 1000)}")


def _sqlite(connection: Connection, deadline: Deadline) -> None:
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.set_progress_handler(lambda: int(deadline.passed), _SQLITE_STEPS)


def _mssql(connection: Connection, deadline: Deadline) -> None:
    raw = connection.connection.driver_connection
    if raw is not None and hasattr(raw, "timeout"):  # pyodbc; pymssql is only watched between batches
        raw.timeout = ceil(deadline.seconds or 0)


_TELLERS: dict[str, Callable[[Connection, Deadline], None]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "mssql": _mssql,
}
