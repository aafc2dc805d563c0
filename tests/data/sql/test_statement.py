"""Statements that read queries, tables and stored procedures, in the SQL of each database."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect

from mlsteps.data.sql import Procedure, SqlStore, StoredProcedureParameter, TableName
from mlsteps.data.sql.inserting import _statement
from mlsteps.data.sql.parameter import StoredProcedureParameterType as Type
from mlsteps.data.sql.statement import Source, call, quoted_table
from mlsteps.data.sql.table_columns import columns_for
from mlsteps.exceptions import DatastoreException, UserErrorException
from servers.databases import Database

REPORT = Procedure(
    TableName("report:1 100%", "dbo"),
    (
        StoredProcedureParameter("@day", "2024-01-31", Type.Date),
        StoredProcedureParameter("name", "x'; DROP TABLE t; --"),
    ),
)


def read(sql: SqlStore, source: Source) -> list[dict[str, object]]:
    with sql.read_batches(source) as rows:
        return pa.Table.from_batches(rows, rows.schema).to_pylist()  # type: ignore[no-any-return]


def compiled(clause: object, dialect: Dialect) -> str:
    assert isinstance(clause, sa.ClauseElement)
    return str(clause.compile(dialect=dialect))


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (
            mssql.dialect(paramstyle="named"),
            "SET NOCOUNT ON; EXEC [dbo].[report:1 100%] @day = :p0, @name = :p1",
        ),
        (mysql.dialect(paramstyle="named"), "CALL `dbo`.`report:1 100%`(:p0, :p1)"),
        (
            postgresql.dialect(paramstyle="named"),
            'SELECT * FROM "dbo"."report:1 100%"("day" => :p0, "name" => :p1)',
        ),
    ],
    ids=["mssql", "mysql", "postgresql"],
)
def test_a_call_binds_its_values(dialect: Dialect, text: str) -> None:
    statement = call(REPORT, dialect)
    assert compiled(statement.clause, dialect).replace("%%", "%") == text
    assert statement.parameters == {"p0": datetime.date(2024, 1, 31), "p1": "x'; DROP TABLE t; --"}


def test_a_procedure_of_postgresql_is_called() -> None:
    statement = call(Procedure(TableName("p")), postgresql.dialect(), is_procedure=True)
    assert compiled(statement.clause, postgresql.dialect()) == 'CALL "p"()'
    assert not statement.streams


def test_sqlite_has_no_procedures() -> None:
    with pytest.raises(UserErrorException, match="'p': sqlite has none. Use a query or a table"):
        call(Procedure(TableName("p")), sqlite.dialect())


def test_sql_server_quotes_tables_and_binds_rows() -> None:
    """There is no SQL Server to run this on: only what would be sent is looked at."""
    dialect = mssql.dialect(paramstyle="named")
    table = TableName("order]s; DROP TABLE x", "my schema")
    select = sa.select(sa.text("*")).select_from(quoted_table(table))
    assert compiled(select, dialect) == "SELECT * \nFROM [my schema].[order]]s; DROP TABLE x]"
    schema = pa.schema(
        [
            ("a", pa.int64()),
            ("b", pa.string()),
            ("c", pa.binary()),
            ("d", pa.decimal128(10, 2)),
            ("e", pa.timestamp("us", "UTC")),
            ("f", pa.timestamp("us")),
            ("g", pa.bool_()),
            ("h", pa.float32()),
        ]
    )
    columns = columns_for(schema, dialect, "x")
    assert [column.sql_type for column in columns] == [
        *("BIGINT", "NVARCHAR(max)", "VARBINARY(max)", "NUMERIC(10, 2)"),
        *("DATETIMEOFFSET(6)", "DATETIME2(6)", "BIT", "REAL"),
    ]
    assert [column.arrow_type for column in columns] == schema.types
    insert = compiled(_statement(TableName("t"), columns[:2]), dialect)
    assert insert == "INSERT INTO [t] ([a], [b]) VALUES (:c0, :c1)"


def test_a_function_of_postgresql(postgresql: Database) -> None:
    postgresql.run(
        "CREATE TABLE t (n int, name text, at date, price numeric(10, 2), ok boolean, id uuid)",
        "INSERT INTO t VALUES (1, 'x', '2024-01-31', 1.5, true, 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6')",
        "INSERT INTO t VALUES (2, 'y', '2024-01-31', 1.5, true, 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6')",
        'CREATE FUNCTION "Find"(name text, at date, price numeric, ok boolean, id uuid, n bigint) '
        'RETURNS TABLE (found int) LANGUAGE sql AS \'SELECT n FROM t WHERE t.name = "Find".name AND '
        't.at = "Find".at AND t.price = "Find".price AND t.ok = "Find".ok AND t.id = "Find".id '
        'AND t.n = "Find".n\'',
    )
    parameters = (
        StoredProcedureParameter("n", "1", Type.Int),
        StoredProcedureParameter("id", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "Guid"),
        StoredProcedureParameter("ok", "true", Type.Boolean),
        StoredProcedureParameter("price", 1.5, Type.Decimal),
        StoredProcedureParameter("at", "2024-01-31", Type.Date),
        StoredProcedureParameter("name", "x", Type.String),
    )
    assert read(postgresql.sql, Procedure(TableName("Find"), parameters)) == [{"found": 1}]
    attack = (*parameters[:-1], StoredProcedureParameter("name", "x' OR '1'='1"))
    assert read(postgresql.sql, Procedure(TableName("Find", "public"), attack)) == []
    nothing = (*parameters[:-1], StoredProcedureParameter("name", None))
    assert read(postgresql.sql, Procedure(TableName("Find"), nothing)) == []


def test_a_procedure_of_postgresql(postgresql: Database) -> None:
    postgresql.run(
        "CREATE TABLE t (n int)",
        "CREATE PROCEDURE add(n int, INOUT total bigint) LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO t VALUES (n); SELECT count(*) INTO total FROM t; END'",
        "CREATE PROCEDURE quiet() LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (7); END'",
    )
    parameters = (StoredProcedureParameter("n", 5), StoredProcedureParameter("total", None))
    assert read(postgresql.sql, Procedure(TableName("add"), parameters)) == [{"total": 1}]
    assert postgresql.rows("SELECT n FROM t") == [(5,)]
    with pytest.raises(DatastoreException, match="stored procedure 'quiet' gave no rows"):
        read(postgresql.sql, Procedure(TableName("quiet")))
    with pytest.raises(DatastoreException, match="stored procedure 'none' failed"):
        read(postgresql.sql, Procedure(TableName("none")))


def test_a_procedure_of_mariadb(mariadb: Database) -> None:
    mariadb.run(
        "CREATE TABLE t (n int, name varchar(20), price decimal(10, 2), at date)",
        "INSERT INTO t VALUES (1, 'x', 1.50, '2024-01-31'), (2, 'y', 2.50, '2024-01-31')",
        "CREATE PROCEDURE `find %`(IN a_name varchar(80), IN least decimal(10, 2), IN day date) "
        "SELECT n, price FROM t WHERE (name = a_name OR a_name IS NULL) AND price >= least AND at = day",
    )

    def find(name: str | None) -> list[dict[str, object]]:
        parameters = (
            StoredProcedureParameter("a_name", name),
            StoredProcedureParameter("least", "1.5", Type.Decimal),
            StoredProcedureParameter("day", datetime.date(2024, 1, 31)),
        )
        return read(mariadb.sql, Procedure(TableName("find %"), parameters))

    assert find("x") == [{"n": 1, "price": Decimal("1.50")}]
    assert [row["n"] for row in find(None)] == [1, 2]
    assert find("x' OR '1'='1") == []
