"""The three databases that can be had here, each as a store whose default schema is empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from servers.databases import (
    Database,
    mariadb_database,
    mariadb_port,
    postgresql_database,
    postgresql_port,
    sqlite_database,
)

__all__ = ["mariadb_port", "postgresql_port"]  # fixtures


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return sqlite_database(tmp_path)


@pytest.fixture(params=["psycopg", "psycopg2"])
def postgresql(request: pytest.FixtureRequest, postgresql_port: int) -> Database:
    return postgresql_database(postgresql_port, request.param)


@pytest.fixture(params=["pymysql", "mysqldb", "mysqlconnector"])
def mariadb(request: pytest.FixtureRequest, mariadb_port: int) -> Database:
    module = {"mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"}.get(request.param)
    if module:
        pytest.importorskip(module, reason=f"the MySQL driver {module} is not installed")
    return mariadb_database(mariadb_port, request.param)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Each database, with the driver that is at hand everywhere."""
    make: dict[str, Callable[[int], Database]] = {
        "postgresql": postgresql_database,
        "mariadb": mariadb_database,
    }
    if request.param == "sqlite":
        return sqlite_database(tmp_path)
    return make[request.param](request.getfixturevalue(f"{request.param}_port"))


@pytest.fixture
def files(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")
