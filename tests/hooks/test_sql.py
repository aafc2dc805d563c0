"""Databases of Airflow connections, opened through the hooks of their providers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlsteps.data.sql import TableName
from mlsteps.exceptions import MlstepsException, WorkspaceException
from mlsteps.hooks import sql as hook_module
from mlsteps.hooks.sql import open_sql_store
from servers import mariadb, postgresql
from servers.databases import mariadb_database, mariadb_port, postgresql_database, postgresql_port

__all__ = ["mariadb_port", "postgresql_port"]  # fixtures

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return connect


def check_round_trip(conn_id: str, kind: str) -> None:
    store = open_sql_store(conn_id, kind)
    batch = pa.record_batch({"n": pa.array([1], pa.int64()), "text": ["ä😀 100%"]})
    assert store.write_batches("t", [batch]).rows == 1
    with store.read_batches(TableName("t")) as rows:
        assert pa.Table.from_batches(rows, rows.schema).to_pylist() == batch.to_pylist()
    assert store.test() == (True, f"{store.url()} answers")


def test_sqlite(connect: Connect, tmp_path: Path) -> None:
    connect("lite", conn_type="sqlite", host=str(tmp_path / "tests.db"))
    check_round_trip("lite", "sqlite")
    assert open_sql_store("lite").url() == f"sqlite:///{tmp_path / 'tests.db'}"


@pytest.mark.parametrize("extra", [{}, {"cursor": "dictcursor", "sslmode": "prefer"}])
def test_postgresql(connect: Connect, postgresql_port: int, extra: dict[str, str]) -> None:
    postgresql_database(postgresql_port)
    connect(
        "pg",
        conn_type="postgres",
        host="127.0.0.1",
        port=postgresql_port,
        login=postgresql.USER,
        password=postgresql.PASSWORD,
        schema=postgresql.DATABASE,
        extra=extra,
    )
    check_round_trip("pg", "postgresql")
    assert open_sql_store("pg").url() == f"postgresql://127.0.0.1:{postgresql_port}/tests"


def test_options_of_the_connection_are_kept(connect: Connect, postgresql_port: int) -> None:
    """A server without TLS is refused where the connection asks for it."""
    fields = {"host": "127.0.0.1", "port": postgresql_port, "login": postgresql.USER, "schema": "tests"}
    extra = {"sslmode": "require"}
    connect("pg", conn_type="postgres", password=postgresql.PASSWORD, extra=extra, **fields)
    ok, text = open_sql_store("pg").test()
    assert not ok and "SSL" in text and postgresql.PASSWORD not in text


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("MySQLdb", {"cursor": "dictcursor"}),
        ("mysql.connector", {"client": "mysql-connector-python"}),
        ("pymysql", {"client": "pymysql", "charset": "utf8mb4"}),
    ],
)
def test_mysql(connect: Connect, mariadb_port: int, module: str, extra: dict[str, str]) -> None:
    pytest.importorskip(
        "airflow.providers.mysql", reason="it needs mysqlclient, which has no wheels for Linux"
    )
    pytest.importorskip(module)
    mariadb_database(mariadb_port)
    connect(
        "my",
        conn_type="mysql",
        host="127.0.0.1",
        port=mariadb_port,
        login=mariadb.USER,
        password=mariadb.PASSWORD,
        schema=mariadb.DATABASE,
        extra=extra,
    )
    check_round_trip("my", "mysql")


def test_a_wrong_password_is_not_told(connect: Connect, postgresql_port: int) -> None:
    connect(
        "pg",
        conn_type="postgres",
        host="127.0.0.1",
        port=postgresql_port,
        login="mlsteps",
        password="wr0ng-p@ss",
        schema="tests",
    )
    ok, text = open_sql_store("pg").test()
    assert not ok
    assert text.startswith("Airflow connection 'pg': connecting failed: OperationalError")
    assert "wr0ng" not in text


def test_a_url_that_cannot_be_read_is_not_told(connect: Connect) -> None:
    pytest.importorskip("airflow.providers.mysql")
    connect("my", conn_type="mysql", host="h:x:y", login="u", password="s3cr3t", extra={"client": "pymysql"})
    with pytest.raises(MlstepsException) as error:
        open_sql_store("my").read_pandas("SELECT 1")
    assert "'my'" in str(error.value) and "s3cr3t" not in str(error.value)
    assert error.value.__suppress_context__


def test_what_the_hook_refuses_is_told(connect: Connect) -> None:
    pytest.importorskip("airflow.providers.mysql")
    connect("my", conn_type="mysql", host="127.0.0.1", password="s3cr3t", extra={"client": "telnet"})
    ok, text = open_sql_store("my").test()
    assert (ok, text) == (
        False,
        "Airflow connection 'my' cannot be used: Unknown MySQL client name provided!",
    )


def test_a_connection_that_is_missing_or_of_another_kind(connect: Connect) -> None:
    with pytest.raises(WorkspaceException, match="no connection 'none'.*Add one of type mssql, odbc"):
        open_sql_store("none", "azure_sql")
    connect("pg", conn_type="postgres")
    with pytest.raises(
        WorkspaceException, match="'pg' is of type 'postgres'; .*mysql needs one of type mysql"
    ):
        open_sql_store("pg", "mysql")
    connect("web", conn_type="http")
    with pytest.raises(WorkspaceException, match="of type SQL needs one of type postgres or mysql or sqlite"):
        open_sql_store("web")


def test_a_provider_that_is_not_installed_is_named(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_module, "find_spec", lambda name: None)
    connect("pg", conn_type="postgres")
    with pytest.raises(WorkspaceException, match="pip install apache-airflow-providers-postgres"):
        open_sql_store("pg", "postgresql")


def test_a_missing_pyarrow_is_named(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("mlsteps.data.sql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    connect("lite", conn_type="sqlite", host="/x")
    with pytest.raises(
        WorkspaceException, match=r"need pyarrow.*pip install 'airflow-provider-mlsteps\[sql\]'"
    ):
        open_sql_store("lite")
