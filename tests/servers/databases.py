"""The databases that can be had here: servers for the whole session, and a handle for a test's statements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from mlsteps.data.sql import SqlStore
from servers import mariadb, postgresql
from servers.debian import ServerMissing, skip_or_fail


@dataclass(frozen=True)
class Database:
    """A database of a test.

    :param name: ``sqlite``, ``postgresql`` or ``mariadb``.
    :param url: SQLAlchemy's URL, with the password.
    """

    name: str
    url: str

    @property
    def sql(self) -> SqlStore:
        return SqlStore(lambda: sa.create_engine(self.url, poolclass=NullPool), f"Datastore {self.name!r}")

    def run(self, *statements: str) -> None:
        """Execute and commit statements as they stand."""
        with sa.create_engine(self.url, poolclass=NullPool).connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                connection.commit()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query, as the driver gives them."""
        engine = sa.create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            result = connection.exec_driver_sql(query, execution_options={"no_parameters": True})
            return [tuple(row) for row in result]

    def tables(self) -> list[str]:
        """The names of all tables."""
        return sorted(sa.inspect(sa.create_engine(self.url, poolclass=NullPool)).get_table_names())


def sqlite_database(folder: Path) -> Database:
    """An empty file of SQLite."""
    return Database("sqlite", f"sqlite:///{folder / 'tests.db'}")


def postgresql_database(port: int, driver: str = "psycopg") -> Database:
    """The database of the server, emptied."""
    database = Database("postgresql", _url(f"postgresql+{driver}", postgresql.PASSWORD, port))
    database.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return database


def mariadb_database(port: int, driver: str = "pymysql") -> Database:
    """The database of the server, emptied."""
    database = Database("mariadb", f"{_url(f'mysql+{driver}', mariadb.PASSWORD, port)}?charset=utf8mb4")
    database.run("DROP DATABASE tests", "CREATE DATABASE tests")
    return database


@pytest.fixture(scope="session")
def postgresql_port() -> Iterator[int]:
    try:
        with postgresql.postgresql() as port:
            yield port
    except ServerMissing as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    try:
        with mariadb.mariadb() as port:
            yield port
    except ServerMissing as missing:
        skip_or_fail(missing)


def _url(driver: str, password: str, port: int) -> str:
    return f"{driver}://mlsteps:{quote_plus(password)}@127.0.0.1:{port}/tests"
