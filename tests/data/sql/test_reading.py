"""Reading rows from real databases: types, streaming, errors."""

from __future__ import annotations

import datetime
import time
from decimal import Decimal

import pyarrow as pa
import pytest

from mlsteps.data.sql import Query, SqlStore, TableName
from mlsteps.exceptions import DatastoreException, UserErrorException
from servers.databases import Database

NOON = datetime.datetime(2024, 1, 31, 12, 30, 15, 123456)
UTC = datetime.timezone.utc


def read(sql: SqlStore, source: object, **options: object) -> pa.Table:
    with sql.read_batches(source, **options) as rows:  # type: ignore[arg-type]
        return pa.Table.from_batches(rows, rows.schema)


def test_a_query_is_a_frame(database: Database) -> None:
    database.run("CREATE TABLE t (a INTEGER, b VARCHAR(10))", "INSERT INTO t VALUES (1, 'x'), (2, NULL)")
    frame = database.sql.read_pandas("SELECT a, b FROM t ORDER BY a")
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].isna().tolist() == [False, True]


def test_types_of_postgresql(postgresql: Database) -> None:
    postgresql.run(
        "CREATE TABLE t (a smallint, b integer, c bigint, d numeric(10, 2), e numeric, f real, "
        "g double precision, h boolean, i text, j bytea, k date, l time, m timestamp, n timestamptz, "
        "o uuid, p jsonb, q integer[], r interval)",
        "INSERT INTO t VALUES (1, 2, 3, 12.50, 0.1, 1.5, 2.5, true, 'ä', '\\x00ff', '2024-01-31', "
        "'12:30:15', '2024-01-31 12:30:15.123456', '2024-01-31 12:30:15.123456+02', "
        "'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', '{\"x\": \"é\"}', '{1,2}', '1 day')",
        "INSERT INTO t (a) VALUES (NULL)",
    )
    table = read(postgresql.sql, TableName("t"))
    assert [str(kind) for kind in table.schema.types] == [
        *("int16", "int32", "int64", "decimal128(10, 2)", "decimal128(38, 18)", "float", "double", "bool"),
        *("string", "binary", "date32[day]", "time64[us]", "timestamp[us]", "timestamp[us, tz=UTC]"),
        *("string", "string", "string", "string"),
    ]
    first, second = table.to_pylist()
    assert set(second.values()) == {None}
    assert (first["d"], first["e"]) == (Decimal("12.50"), Decimal("0.1"))
    assert (first["h"], first["i"], first["j"]) == (True, "ä", b"\x00\xff")
    assert (first["k"], first["l"], first["m"]) == (NOON.date(), datetime.time(12, 30, 15), NOON)
    assert first["n"] == NOON.replace(hour=10, tzinfo=UTC)
    assert first["o"] == "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    assert (first["p"], first["q"]) == ('{"x": "é"}', "[1, 2]")


def test_types_of_mariadb(mariadb: Database) -> None:
    mariadb.run(
        "CREATE TABLE t (a tinyint, b smallint, c int unsigned, d bigint, e decimal(10, 2), f float, "
        "g double, h boolean, i text CHARACTER SET utf8mb4, j blob, k date, l time, m datetime(6), "
        "n varbinary(5), o year, p enum('x', 'y'))",
        "INSERT INTO t VALUES (1, 2, 4000000000, 3, 12.50, 1.5, 2.5, true, 'ä😀', x'00ff', '2024-01-31', "
        "'12:30:15', '2024-01-31 12:30:15.123456', x'61', 2024, 'x')",
        "INSERT INTO t (a) VALUES (NULL)",
    )
    table = read(mariadb.sql, TableName("t"))
    first, second = table.to_pylist()
    assert set(second.values()) == {None}
    assert [first[name] for name in "abcdefgh"] == [1, 2, 4_000_000_000, 3, Decimal("12.5"), 1.5, 2.5, True]
    assert (first["i"], first["j"], first["n"]) == ("ä😀", b"\x00\xff", b"a")
    assert (first["k"], first["l"], first["m"]) == (NOON.date(), datetime.time(12, 30, 15), NOON)
    assert (first["o"], first["p"]) == (2024, "x")
    assert table.schema.field("m").type == pa.timestamp("us")
    assert pa.types.is_decimal(table.schema.field("e").type)


def test_types_of_a_table_of_sqlite_are_those_declared(sqlite: Database) -> None:
    sqlite.run(
        "CREATE TABLE t (a INTEGER, b REAL, c DECIMAL(10, 2), d BOOLEAN, e TEXT, f BLOB, g DATE, "
        "h TIMESTAMP)",
        "INSERT INTO t VALUES (1, 2, 12.5, 1, 'ä', x'00ff', '2024-01-31', '2024-01-31 12:30:15.123456')",
    )
    (row,) = read(sqlite.sql, TableName("t")).to_pylist()
    assert list(row.values()) == [1, 2.0, Decimal("12.50"), True, "ä", b"\x00\xff", NOON.date(), NOON]
    assert [str(kind) for kind in read(sqlite.sql, "SELECT c, d, g FROM t").schema.types] == [
        *("double", "int64", "string")
    ]


def test_an_empty_result_has_its_columns(database: Database) -> None:
    database.run("CREATE TABLE t (a INTEGER, b VARCHAR(10))")
    table = read(database.sql, TableName("t"))
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])
    assert read(database.sql, "SELECT * FROM t WHERE a > 5").column_names == ["a", "b"]


def test_sums_and_averages_have_eighteen_digits_after_the_point(postgresql: Database) -> None:
    table = read(postgresql.sql, "SELECT avg(x) AS a, sum(x) AS s FROM (VALUES (1), (2), (2)) AS v (x)")
    assert table.to_pylist() == [{"a": Decimal("1.666666666666666700"), "s": 5}]
    tiny = "SELECT 0.00000000000000000000000123::numeric AS a"
    assert read(postgresql.sql, tiny).to_pylist() == [{"a": Decimal(0)}]


def test_parameters_are_bound(database: Database) -> None:
    database.run("CREATE TABLE t (a INTEGER, b VARCHAR(80))", "INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    sql = database.sql
    found = read(sql, "SELECT a FROM t WHERE b = :b AND a < :top", parameters={"b": "x", "top": 5})
    assert found.to_pylist() == [{"a": 1}]
    attack = "x'; DROP TABLE t; --"
    assert read(sql, "SELECT a FROM t WHERE b = :b", parameters={"b": attack}).num_rows == 0
    assert read(sql, "SELECT a FROM t WHERE b = :b", parameters={"b": "' OR '1'='1"}).num_rows == 0
    assert database.tables() == ["t"]
    with pytest.raises(UserErrorException, match=r"no ':name' for.*nope"):
        read(sql, "SELECT a FROM t", parameters={"nope": 1})


def test_a_query_without_parameters_is_taken_as_it_stands(database: Database) -> None:
    query = "SELECT 'at :noon, 100%' AS a, '%s' AS b"
    assert read(database.sql, query).to_pylist() == [{"a": "at :noon, 100%", "b": "%s"}]


@pytest.mark.parametrize(
    "name",
    ["select", "Weird Name", "per%cent", "co:lon", 'quo"te', "back`tick", "x; DROP TABLE t; --", "ünï"],
)
def test_names_are_quoted(database: Database, name: str) -> None:
    sql, table = database.sql, TableName(name)
    database.run("CREATE TABLE t (a INTEGER)")
    batch = pa.record_batch({name: pa.array([1, 2])})
    written = sql.write_batches(table, [batch], "create")
    assert (written.rows, written.created) == (2, True)
    assert sql.write_batches(table, [batch]).rows == 2
    assert read(sql, table).to_pydict() == {name: [1, 2, 1, 2]}
    assert database.tables() == sorted(["t", name])


def test_a_table_of_another_schema(postgresql: Database) -> None:
    postgresql.run('DROP SCHEMA IF EXISTS "My Schema" CASCADE', 'CREATE SCHEMA "My Schema"')
    postgresql.run('CREATE TABLE "My Schema"."T.1" (a int)')
    table = TableName.parse('"My Schema"."T.1"')
    postgresql.sql.write_batches(table, [pa.record_batch({"a": pa.array([1], pa.int32())})])
    assert read(postgresql.sql, table).to_pylist() == [{"a": 1}]
    assert postgresql.sql.schema_of("t") is None


def test_columns_need_names_of_their_own(database: Database) -> None:
    with pytest.raises(DatastoreException, match="several of them called 'a'"):
        read(database.sql, "SELECT 1 AS a, 2 AS a")


def test_what_gives_no_rows_is_said(database: Database) -> None:
    database.run("CREATE TABLE t (a INTEGER)")
    with pytest.raises(DatastoreException):
        read(database.sql, "UPDATE t SET a = 1")


def test_errors_name_the_store_and_the_query_and_hide_the_password(database: Database) -> None:
    with pytest.raises(DatastoreException) as error:
        read(database.sql, "SELECT nothing FROM nowhere WHERE x = :x", parameters={"x": "v4lue"})
    text = str(error.value)
    assert f"Datastore {database.name!r}" in text and "SELECT nothing FROM nowhere" in text
    assert "s3cr3t" not in text and "v4lue" not in text
    assert error.value.__cause__ is None and error.value.__suppress_context__
    with pytest.raises(DatastoreException, match="table 'nowhere'"):
        read(database.sql, TableName("nowhere"))


def test_a_value_that_does_not_fit_names_its_column_and_row(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (a)", "INSERT INTO t SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 2.5")
    with pytest.raises(DatastoreException, match=r"Column 'a', row 1101.*2.5 does not fit int64.*CAST\(a AS"):
        many = "SELECT 1 AS a FROM n UNION ALL SELECT 2.5"
        series = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1100) "
        read(sqlite.sql, series + many)


def test_a_boolean_of_mysql_that_is_none(mariadb: Database) -> None:
    if "mysqlconnector" in mariadb.url:
        pytest.skip("this driver does not say which integers are booleans")
    mariadb.run("CREATE TABLE t (a BOOLEAN)", "INSERT INTO t VALUES (1), (2)")
    with pytest.raises(DatastoreException, match="Column 'a', row 2 of the result: 2 does not fit bool"):
        read(mariadb.sql, TableName("t"))


def test_a_time_limit_ends_a_query(database: Database) -> None:
    slow = {
        "postgresql": "SELECT pg_sleep(30)",
        "mariadb": "SELECT SLEEP(30) FROM mysql.user",
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
    }[database.name]
    started = time.monotonic()
    with pytest.raises(DatastoreException, match="longer than its timeout of 0.5 seconds"):
        read(database.sql, slow, timeout=0.5)
    assert time.monotonic() - started < 10
    with pytest.raises(UserErrorException, match="timeout must be a positive number"):
        read(database.sql, "SELECT 1", timeout=0)


def test_leaving_early_gives_the_rest_up(database: Database) -> None:
    numbers = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 900000) SELECT x FROM n"
    )
    if database.name == "mariadb":
        numbers = "SELECT seq AS x FROM seq_1_to_90000000"
    started = time.monotonic()
    with database.sql.read_batches(Query(numbers)) as rows:
        assert next(rows).num_rows > 0
    assert time.monotonic() - started < 10
    assert list(rows) == []


def test_whether_it_answers(database: Database) -> None:
    ok, text = database.sql.test()
    assert ok and text == f"{database.sql.url()} answers"
    assert "s3cr3t" not in text


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    import sqlalchemy as sa

    url = "postgresql+psycopg://u:s3cr3t@127.0.0.1:1/x"
    ok, text = SqlStore(lambda: sa.create_engine(url), "Datastore 'x'").test()
    assert not ok and "connecting failed" in text and "s3cr3t" not in text
