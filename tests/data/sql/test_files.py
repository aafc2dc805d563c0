"""Rows to CSV and Parquet files, and files to tables."""

from __future__ import annotations

import csv
import datetime
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlsteps.data.sql import Query, TableName, files_to_table, query_to_file
from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import DataNotFoundException, DatastoreException, UserErrorException
from servers.databases import Database

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 1, 31, 12, 30, 15, 500000)
ROWS = pa.record_batch(
    {
        "n": pa.array([1, 2, 3], pa.int64()),
        "price": pa.array([Decimal("0.10"), None, Decimal("-5.00")], pa.decimal128(10, 2)),
        "ok": pa.array([True, False, None]),
        "text": pa.array(['a "b", c', "", None]),
        "other": pa.array(["line\nbreak\r\nä", " x ", None]),
        "data": pa.array([b"\x00\xff", b"", None], pa.binary()),
        "day": pa.array([MOMENT.date(), None, None]),
        "clock": pa.array([MOMENT.time(), None, None], pa.time64("us")),
        "at": pa.array([MOMENT, None, None], pa.timestamp("us")),
    }
)


def test_csv_is_rfc_4180_and_tells_null_from_empty(database: Database, files: FolderStore) -> None:
    database.sql.write_batches("t", [ROWS])
    written = query_to_file(
        database.sql, Query("SELECT n, text, other FROM t ORDER BY n"), files, "out/t.csv"
    )
    raw = files.read("out/t.csv")
    assert raw.decode() == ('n,text,other\r\n1,"a ""b"", c","line\nbreak\r\nä"\r\n2,"", x \r\n3,,\r\n')
    assert (written.path, written.rows, written.size) == ("out/t.csv", 3, len(raw))
    parsed = list(csv.reader(io.StringIO(raw.decode(), newline="")))
    assert parsed[1] == ["1", 'a "b", c', "line\nbreak\r\nä"]


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_a_table_goes_to_a_file_and_back(database: Database, files: FolderStore, extension: str) -> None:
    database.sql.write_batches("t", [ROWS])
    path = f"t.{extension}"
    query_to_file(database.sql, TableName("t"), files, path)
    assert files_to_table(files, [path], database.sql, "copy").created
    database.sql.write_batches("exact", [ROWS.slice(0, 0)], "create")
    written = files_to_table(files, [path], database.sql, "exact")
    assert written.rows == 3
    with database.sql.read_batches(TableName("exact")) as rows:
        assert pa.Table.from_batches(rows, rows.schema).to_pylist() == ROWS.to_pylist()


def test_parquet_has_the_right_types(postgresql: Database, files: FolderStore) -> None:
    postgresql.run(
        "CREATE TABLE t (d numeric(10, 2), z timestamptz, b boolean, y bytea)",
        "INSERT INTO t VALUES (1.5, '2024-01-31 12:00+02', true, '\\x00')",
    )
    for compression in ("zstd", "snappy", "none"):
        query_to_file(
            postgresql.sql,
            TableName("t"),
            files,
            "t.parquet",
            compression=compression,  # type: ignore[arg-type]
        )
        metadata = pq.ParquetFile(files.local_path("t.parquet")).metadata
        found = metadata.row_group(0).column(0).compression
        assert found == ("UNCOMPRESSED" if compression == "none" else compression.upper())
    table = pq.read_table(files.local_path("t.parquet"))
    assert [str(kind) for kind in table.schema.types] == [
        *("decimal128(10, 2)", "timestamp[us, tz=UTC]", "bool", "binary")
    ]
    assert table.to_pylist()[0]["z"] == datetime.datetime(2024, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_the_same_rows_give_the_same_bytes(database: Database, files: FolderStore, extension: str) -> None:
    database.sql.write_batches(
        "t", [pa.record_batch({"n": pa.array(range(30_000)), "x": [str(n) for n in range(30_000)]})]
    )
    told: list[int] = []
    for name in ("a", "b"):
        query_to_file(
            database.sql,
            Query("SELECT n, x FROM t ORDER BY n"),
            files,
            f"{name}.{extension}",
            progress=lambda rows, size: told.append(rows),
        )
    assert files.read(f"a.{extension}") == files.read(f"b.{extension}")
    assert told[-1] == 30_000
    if extension == "parquet":
        assert pq.read_table(files.local_path("a.parquet")).num_rows == 30_000


def test_an_empty_result_is_a_file_with_columns(database: Database, files: FolderStore) -> None:
    database.run("CREATE TABLE t (a INTEGER, b VARCHAR(5))")
    query_to_file(database.sql, TableName("t"), files, "t.csv")
    query_to_file(database.sql, TableName("t"), files, "t.parquet")
    assert files.read("t.csv") == b"a,b\r\n"
    assert pq.read_table(files.local_path("t.parquet")).column_names == ["a", "b"]
    assert files_to_table(files, ["t.csv"], database.sql, "copy").rows == 0
    assert files_to_table(files, ["t.parquet"], database.sql, "t").rows == 0


def test_what_fails_leaves_the_file_that_was_there(sqlite: Database, files: FolderStore) -> None:
    files.write("t.csv", b"old")
    with pytest.raises(DatastoreException):
        query_to_file(sqlite.sql, Query("SELECT * FROM nowhere"), files, "t.csv")
    series = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 9000) "
    with pytest.raises(DatastoreException, match="does not fit"):
        query_to_file(sqlite.sql, Query(series + "SELECT x FROM n UNION ALL SELECT 'x'"), files, "t.csv")
    assert files.read("t.csv") == b"old"
    with pytest.raises(UserErrorException, match="format 'xlsx' is not csv or parquet"):
        query_to_file(sqlite.sql, Query("SELECT 1"), files, "t.xlsx")


def test_a_table_is_made_for_csv_by_all_of_its_values(database: Database, files: FolderStore) -> None:
    files.write(
        "a.csv", b"id,zip,when,day,ok,x,mixed,none\n1,01234,2024-01-31 10:00:00,2024-01-31,true,1,1,\n"
    )
    files.write(
        "b.csv", b"\xef\xbb\xbfid,zip,when,day,ok,x,mixed,none\r\n2,99999,2024-01-31T11:00:00,,,2.5,a,\r\n"
    )
    assert files_to_table(files, ["a.csv", "b.csv"], database.sql, "t").rows == 2
    found = {column.name: column.arrow_type for column in database.sql.schema_of("t") or ()}
    assert [str(kind) for kind in found.values()] == [
        *("int64", "string", "timestamp[us]", "date32[day]", "bool", "double", "string", "string")
    ]
    rows = database.rows("SELECT id, zip, x, mixed, none FROM t ORDER BY id")
    assert rows == [(1, "01234", 1.0, "1", None), (2, "99999", 2.5, "a", None)]


def test_a_value_of_csv_that_does_not_fit_is_found_before_anything_is_written(
    database: Database, files: FolderStore
) -> None:
    database.run("CREATE TABLE t (n INTEGER, x VARCHAR(10))")
    files.write("good.csv", b"n,x\n1,a\n")
    files.write("bad.csv", b"x,n\na,1\nb,2\nc,three\n")
    with pytest.raises(UserErrorException) as error:
        files_to_table(files, ["good.csv", "bad.csv"], database.sql, "t")
    integer = "INTEGER(11)" if database.name == "mariadb" else "INTEGER"
    assert str(error.value) == f"bad.csv, column 'n', row 3: expected {integer}, found 'three'."
    assert database.rows("SELECT * FROM t") == []
    files.write("bad.csv", b"x,n\na,1\n")
    assert files_to_table(files, ["good.csv", "bad.csv"], database.sql, "t").rows == 2
    assert database.rows("SELECT x, n FROM t ORDER BY x, n") == [("a", 1), ("a", 1)]


def test_columns_of_parquet_are_checked_against_the_table(database: Database, files: FolderStore) -> None:
    database.run("CREATE TABLE t (n INTEGER)")
    files.root.mkdir()
    pq.write_table(pa.table({"n": ["x"]}), files.local_path("text.parquet"))
    with pytest.raises(UserErrorException) as error:
        files_to_table(files, ["text.parquet"], database.sql, "t")
    integer = "INTEGER(11)" if database.name == "mariadb" else "INTEGER"
    assert str(error.value) == (
        f"text.parquet, column 'n': expected {integer}, as table 't' has it, found string."
    )
    pq.write_table(pa.table({"m": [1]}), files.local_path("other.parquet"))
    with pytest.raises(UserErrorException, match="other.parquet, column 'm': table 't' has no such column"):
        files_to_table(files, ["other.parquet"], database.sql, "t")
    pq.write_table(pa.table({"n": [1, None, 2**40]}), files.local_path("large.parquet"))
    if database.name != "sqlite":
        with pytest.raises(UserErrorException, match=r"large.parquet, column 'n', row 3: expected INTEGER"):
            files_to_table(files, ["large.parquet"], database.sql, "t")
    pq.write_table(pa.table({"n": [1.0, None]}), files.local_path("pandas.parquet"))
    assert files_to_table(files, ["pandas.parquet"], database.sql, "t").rows == 2
    assert sorted(database.rows("SELECT n FROM t"), key=str) == [(1,), (None,)]


def test_files_have_the_same_columns(database: Database, files: FolderStore) -> None:
    files.write("a.csv", b"n\n1\n")
    files.write("b.csv", b"n,m\n1,2\n")
    with pytest.raises(
        UserErrorException, match="b.csv has the column 'm'; expected the columns of the first"
    ):
        files_to_table(files, ["a.csv", "b.csv"], database.sql, "t")
    with pytest.raises(UserErrorException, match="a.csv lacks the column 'm'"):
        files_to_table(files, ["b.csv", "a.csv"], database.sql, "t")
    assert database.tables() == []


def test_files_that_are_none_are_named(sqlite: Database, files: FolderStore) -> None:
    with pytest.raises(DataNotFoundException, match="no file 'none.csv'"):
        files_to_table(files, ["none.csv"], sqlite.sql, "t")
    files.write("t.parquet", b"n\n1\n")
    with pytest.raises(UserErrorException, match="t.parquet: is not a Parquet file"):
        files_to_table(files, ["t.parquet"], sqlite.sql, "t")
    files.write("t.csv", b"n,n\n1,2\n")
    with pytest.raises(UserErrorException, match="t.csv: several columns are called 'n'"):
        files_to_table(files, ["t.csv"], sqlite.sql, "t")
    files.write("t.csv", b"")
    with pytest.raises(UserErrorException, match="t.csv: it has no columns"):
        files_to_table(files, ["t.csv"], sqlite.sql, "t")
    files.write("t.csv", b"a,b\n1,2\n3\n")
    with pytest.raises(UserErrorException, match=r"t.csv: is not CSV"):
        files_to_table(files, ["t.csv"], sqlite.sql, "t")
    files.write("t.csv", b"a\n\xff\n")
    with pytest.raises(UserErrorException, match=r"t.csv: is not CSV"):
        files_to_table(files, ["t.csv"], sqlite.sql, "t")
    for paths in ([], "t.csv"):
        with pytest.raises(UserErrorException, match="paths must be a list"):
            files_to_table(files, paths, sqlite.sql, "t")


def test_one_column_keeps_its_nulls(database: Database, files: FolderStore) -> None:
    texts = pa.record_batch({"x": pa.array(["a", None, "", "b"])})
    database.sql.write_batches("t", [texts])
    query_to_file(database.sql, TableName("t"), files, "t.csv")
    assert files.read("t.csv") == b'x\r\na\r\n\r\n""\r\nb\r\n'
    files_to_table(files, ["t.csv"], database.sql, "t", mode="replace")
    assert [row[0] for row in database.rows("SELECT x FROM t")] == ["a", None, "", "b"]


def test_a_repeated_load_writes_nothing_even_if_its_files_are_gone(
    database: Database, files: FolderStore
) -> None:
    files.write("t.csv", b"n\n1\n")
    assert files_to_table(files, ["t.csv"], database.sql, "t", load_id="run").rows == 1
    files.delete("t.csv")
    again = files_to_table(files, ["t.csv"], database.sql, "t", load_id="run")
    assert (again.rows, again.repeated) == (1, True)
