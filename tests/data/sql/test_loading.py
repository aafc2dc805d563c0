"""Writing rows into tables of real databases: modes, atomicity, exactly once."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from mlsteps.data.sql import TableName
from mlsteps.data.sql.ledger import Ledger
from mlsteps.exceptions import DatastoreException, MlstepsException, UserErrorException
from servers.databases import Database

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 1, 31, 12, 30, 15, 123456)
EVERYTHING = pa.record_batch(
    {
        "an int": pa.array([1, None], pa.int64()),
        "small": pa.array([1, None], pa.int16()),
        "float": pa.array([0.1, None], pa.float64()),
        "decimal": pa.array([Decimal("12345.67"), None], pa.decimal128(12, 2)),
        "bool": pa.array([True, None], pa.bool_()),
        "text": pa.array(["ä😀 'x' \\ %s :y", None], pa.string()),
        "empty": pa.array(["", None], pa.string()),
        "bytes": pa.array([b"\x00\xff'", None], pa.binary()),
        "date": pa.array([MOMENT.date(), None], pa.date32()),
        "time": pa.array([MOMENT.time(), None], pa.time64("us")),
        "moment": pa.array([MOMENT, None], pa.timestamp("us")),
        "instant": pa.array([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("us", "Europe/Berlin")),
        "category": pa.array(["a", None]).dictionary_encode(),
    }
)


def numbers(count: int, start: int = 0) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(range(start, start + count), pa.int64())})


def content(database: Database, table: str = "t") -> list[int]:
    return [row[0] for row in database.rows(f"SELECT n FROM {table} ORDER BY n")]  # type: ignore[misc]


def failing(first: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    yield first
    raise RuntimeError("the source broke off")


def test_a_server_that_is_still_at_the_ddl_of_a_try_that_is_gone_is_asked_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = Exception(1684, "skipped since its definition is being modified by concurrent DDL statement")
    answers, make = [sa.exc.OperationalError("x", {}, skipped)] * 2, Ledger.make

    def busy(ledger: Ledger, engine: Any) -> None:
        if answers:
            raise answers.pop()
        make(ledger, engine)

    monkeypatch.setattr(Ledger, "make", busy)
    assert database.sql.write_batches("t", [numbers(3)], load_id="l").rows == 3
    assert not answers and content(database) == [0, 1, 2]


def _round_trip(database: Database) -> None:
    database.sql.write_batches("t", [EVERYTHING], "create")
    database.sql.write_batches("t", [EVERYTHING], "append")
    with database.sql.read_batches(TableName("t")) as rows:
        found = pa.Table.from_batches(rows, rows.schema).to_pylist()
    instant = MOMENT.replace(tzinfo=UTC)
    expected = EVERYTHING.to_pylist()
    for row in expected:
        if row["instant"] is not None:
            row["instant"] = instant if database.name == "postgresql" else instant.replace(tzinfo=None)
    assert found == expected * 2


def test_everything_comes_back_as_it_was(database: Database) -> None:
    _round_trip(database)


def test_everything_comes_back_with_every_driver_of_postgresql(postgresql: Database) -> None:
    _round_trip(postgresql)


def test_everything_comes_back_with_every_driver_of_mariadb(mariadb: Database) -> None:
    _round_trip(mariadb)


def test_append_makes_the_table_and_then_adds(database: Database) -> None:
    sql = database.sql
    assert sql.write_batches("t", [numbers(2)]).created
    again = sql.write_batches("t", [numbers(1, 2)])
    assert (again.created, again.rows, again.repeated) == (False, 1, False)
    assert content(database) == [0, 1, 2]


def test_create_refuses_a_table_that_is_there(database: Database) -> None:
    database.sql.write_batches("t", [numbers(2)], "create")
    with pytest.raises(UserErrorException, match="'t' exists already.*Use 'append'"):
        database.sql.write_batches("t", [numbers(2)], "create")
    assert content(database) == [0, 1]


def test_replace_keeps_the_table_and_changes_its_rows(database: Database) -> None:
    database.run("CREATE TABLE t (n BIGINT PRIMARY KEY)", "INSERT INTO t VALUES (7)")
    database.sql.write_batches("t", [numbers(2)], "replace")
    assert content(database) == [0, 1]
    with pytest.raises(DatastoreException):  # the primary key is still there
        database.sql.write_batches("t", [numbers(1)], "append")
    assert content(database) == [0, 1]


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
@pytest.mark.parametrize("exists", [False, True])
def test_what_breaks_off_leaves_nothing(database: Database, mode: str, exists: bool) -> None:
    if exists and mode == "create":
        pytest.skip("is refused")
    if exists:
        database.sql.write_batches("t", [numbers(1, 9)])
    with pytest.raises(RuntimeError, match="broke off"):
        database.sql.write_batches("t", failing(numbers(5000)), mode)  # type: ignore[arg-type]
    if exists:
        assert content(database) == [9]
    else:
        assert "t" not in database.tables()
    database.sql.write_batches("t", [numbers(1)], "append")
    assert database.tables() == ["t"]  # what was left over has been cleared away
    assert content(database) == ([0, 9] if exists else [0])


def test_readers_see_nothing_before_the_end(database: Database) -> None:
    database.sql.write_batches("t", [numbers(1)])

    def looked_at() -> Iterator[pa.RecordBatch]:
        yield numbers(5000, 1)
        assert content(database) == [0]
        assert "new" not in database.tables()
        yield numbers(1, 9999)

    database.sql.write_batches("t", looked_at())
    database.sql.write_batches("new", looked_at_new(database), "create")
    assert len(content(database)) == 5002
    assert len(content(database, "new")) == 5001


def looked_at_new(database: Database) -> Iterator[pa.RecordBatch]:
    yield numbers(5000)
    assert "new" not in database.tables()
    yield numbers(1, 9999)


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_load_is_done_once(database: Database, mode: str) -> None:
    sql = database.sql
    first = sql.write_batches("t", [numbers(3)], mode, load_id="run 1/ÄÖ")  # type: ignore[arg-type]
    second = sql.write_batches("t", [numbers(3)], mode, load_id="run 1/ÄÖ")  # type: ignore[arg-type]
    assert (first.rows, first.repeated, second.rows, second.repeated) == (3, False, 3, True)
    assert content(database) == [0, 1, 2]
    other = sql.write_batches("t", [numbers(1, 3)], "append", load_id="RUN 1/ÄÖ")
    assert not other.repeated
    assert not sql.write_batches("other", [numbers(1)], "append", load_id="run 1/ÄÖ").repeated
    assert content(database) == [0, 1, 2, 3]


def test_a_load_that_failed_is_not_taken_for_done(database: Database) -> None:
    for exists in (False, True):
        with pytest.raises(RuntimeError):
            database.sql.write_batches("t", failing(numbers(3)), load_id=f"run {exists}")
        assert not database.sql.write_batches("t", [numbers(2)], load_id=f"run {exists}").repeated
    assert content(database) == [0, 0, 1, 1]


def test_two_at_the_same_load_write_it_once(database: Database) -> None:
    database.sql.write_batches("t", [numbers(1, 100)])
    results: list[object] = []

    def write() -> None:
        try:
            results.append(database.sql.write_batches("t", [numbers(3000)], load_id="the same").repeated)
        except MlstepsException as error:
            results.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result for result in results if result is False] == [False], results
    assert len(content(database)) == 3001


def test_two_that_make_the_same_table(database: Database) -> None:
    results: list[object] = []

    def write() -> None:
        try:
            results.append(database.sql.write_batches("t", [numbers(3000)]).rows)
        except MlstepsException as error:
            results.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = sum(result for result in results if isinstance(result, int))
    assert len(content(database)) == written >= 3000, results
    assert database.tables() == ["t"]


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (pa.array(["x"]), "expected .*INT.*, as table 't' has it, found string"),
        (pa.array([MOMENT]), "expected .*INT.*found timestamp"),
        (pa.array([1.5]), r"row|1\.5.*does not fit"),
    ],
)
def test_rows_of_another_type_are_refused(database: Database, found: pa.Array, problem: str) -> None:
    database.run("CREATE TABLE t (n INTEGER)")
    with pytest.raises(UserErrorException, match=problem) as error:
        database.sql.write_batches("t", [pa.record_batch({"n": found})])
    assert "Rows for table 't', column 'n'" in str(error.value)
    assert content(database) == []


def test_numbers_that_are_too_large_are_refused(database: Database) -> None:
    if database.name != "sqlite":  # where an integer has eight bytes, whatever it is called
        database.run("CREATE TABLE t (n INTEGER)")
        with pytest.raises(UserErrorException, match="expected INTEGER.*found 3000000000 .*does not fit"):
            database.sql.write_batches("t", [numbers(1, 3_000_000_000)])
    database.run("CREATE TABLE d (n DECIMAL(5, 2))")
    batch = pa.record_batch({"n": pa.array([Decimal("1.234")])})
    with pytest.raises(UserErrorException, match="found Decimal"):
        database.sql.write_batches("d", [batch])
    assert database.sql.write_batches("d", [numbers(3)]).rows == 3
    assert database.sql.write_batches("d", [pa.record_batch({"n": pa.array([1.5])})]).rows == 1


def test_midnights_are_dates_and_other_times_are_not(database: Database) -> None:
    database.run("CREATE TABLE t (n DATE)")
    midnight = datetime.datetime(2024, 1, 31)
    database.sql.write_batches("t", [pa.record_batch({"n": pa.array([midnight], pa.timestamp("ns"))})])
    with pytest.raises(UserErrorException, match="expected DATE"):
        database.sql.write_batches("t", [pa.record_batch({"n": pa.array([MOMENT])})])


def test_local_times_are_no_instants(postgresql: Database) -> None:
    postgresql.run("CREATE TABLE t (n timestamptz, u uuid, j jsonb)")
    with pytest.raises(UserErrorException, match="expected TIMESTAMP WITH TIME ZONE.*found timestamp"):
        postgresql.sql.write_batches("t", [pa.record_batch({"n": pa.array([MOMENT])})])
    text = pa.record_batch({"u": ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"], "j": ['{"a": 1}']})
    assert postgresql.sql.write_batches("t", [text]).rows == 1


def test_columns_are_found_by_name(database: Database) -> None:
    database.run("CREATE TABLE t (n INTEGER NOT NULL, d INTEGER DEFAULT 5, m INTEGER)")
    batch = pa.record_batch({"m": pa.array([2], pa.int32()), "n": pa.array([1], pa.int32())})
    database.sql.write_batches("t", [batch])
    assert database.rows("SELECT n, d, m FROM t") == [(1, 5, 2)]
    with pytest.raises(
        UserErrorException, match="column 'N': table 't' has no such column; expected one of n"
    ):
        database.sql.write_batches("t", [pa.record_batch({"N": [1]})])
    with pytest.raises(UserErrorException, match="column 'n' is missing; expected INTEGER.* NOT NULL"):
        database.sql.write_batches("t", [pa.record_batch({"m": pa.array([2], pa.int32())})])


def test_lists_have_no_column_type(database: Database) -> None:
    with pytest.raises(UserErrorException, match="column 'n': list.* has no counterpart"):
        database.sql.write_batches("t", [pa.record_batch({"n": [[1]]})])
    assert database.tables() == []


def test_no_batch_needs_a_schema(database: Database) -> None:
    with pytest.raises(UserErrorException, match="RecordBatchReader"):
        database.sql.write_batches("t", [])
    reader = pa.RecordBatchReader.from_batches(numbers(1).schema, [])
    assert database.sql.write_batches("t", reader).rows == 0
    assert content(database) == []


def test_a_mode_that_there_is_not(database: Database) -> None:
    with pytest.raises(UserErrorException, match="mode 'upsert' is not one of create, append, replace"):
        database.sql.write_batches("t", [numbers(1)], "upsert")  # type: ignore[arg-type]


def test_sqlite_refuses_digits_that_it_would_lose(sqlite: Database) -> None:
    exact = pa.array([Decimal("1234567890123456.78")], pa.decimal128(30, 2))
    with pytest.raises(DatastoreException, match="Column 'n': SQLite keeps 15 digits"):
        sqlite.sql.write_batches("t", [pa.record_batch({"n": exact})])
    assert sqlite.tables() == []


def test_progress_is_told(database: Database) -> None:
    told: list[tuple[int, int]] = []
    batches = [numbers(2), numbers(3)]
    database.sql.write_batches("t", batches, progress=lambda rows, size: told.append((rows, size)))
    assert told == [(2, 16), (5, 40)]


def test_a_table_without_transactions_is_refused(mariadb: Database) -> None:
    mariadb.run("CREATE TABLE t (n BIGINT) ENGINE=MyISAM")
    with pytest.raises(DatastoreException, match="engine MyISAM, which has no transactions"):
        mariadb.sql.write_batches("t", [numbers(1)])


def test_a_long_name_is_staged_apart_from_its_neighbours(mariadb: Database) -> None:
    first, second = "x" * 60 + "_one", "x" * 60 + "_two"

    def while_writing() -> Iterator[pa.RecordBatch]:
        yield numbers(1)
        mariadb.sql.write_batches(TableName(second), [numbers(1)])
        yield numbers(1, 1)

    mariadb.sql.write_batches(TableName(first), while_writing())
    assert mariadb.tables() == [first, second]
    assert len(mariadb.rows(f"SELECT n FROM {first}")) == 2
