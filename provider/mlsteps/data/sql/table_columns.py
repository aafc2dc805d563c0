"""Columns of tables: their Arrow types, and the types they get in a table that is made for Arrow data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeEngine

from mlsteps.data.sql.databases import family, has_time_zones
from mlsteps.data.sql.result_types import INSTANT, TIME, TIMESTAMP, UNLIMITED_DECIMAL
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import UserErrorException

_MOST_DIGITS = 38
_DIGITS_OF_FLOAT = (
    24  # binary ones: what SQL calls the precision of FLOAT(p), up to which it takes four bytes
)


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    :param sql_type: As the database writes it, ``NUMERIC(10, 2)``.
    :param arrow_type: What its values are in Arrow; text for types that have no counterpart there.
    :param required: Whether every row has to bring a value: no NULL, no default.
    """

    name: str
    sql_type: str
    arrow_type: pa.DataType
    required: bool = False


def read_columns(connection: Connection, table: TableName) -> tuple[TableColumn, ...] | None:
    """The columns of a table or view, in their order; None if there is no such table."""
    inspector = sa.inspect(connection)
    try:
        found = inspector.get_columns(table.name, schema=table.schema)
    except sa.exc.NoSuchTableError:
        return None
    dialect = connection.dialect
    return tuple(
        TableColumn(
            # SQLAlchemy leaves backticks doubled, as SHOW CREATE TABLE writes them.
            column["name"].replace("``", "`") if family(dialect) == "mysql" else column["name"],
            _compiled(column["type"], dialect),
            arrow_type(column["type"], dialect),
            required=not (
                column["nullable"]
                or column.get("default") is not None
                or column.get("identity")
                or column.get("computed")
                or column.get("autoincrement") is True
            ),
        )
        for column in found
    )


def columns_for(schema: pa.Schema, dialect: Dialect, where: str) -> tuple[TableColumn, ...]:
    """The columns of a table that is made for data of ``schema``.

    :param where: Whose columns they are, for the error.
    :raises UserErrorException: a column's type has no counterpart in databases.
    """
    return tuple(
        TableColumn(
            field.name,
            _compiled(sql_type(field, dialect, where), dialect),
            arrow_type(sql_type(field, dialect, where), dialect),
        )
        for field in schema
    )


def sql_type(field: pa.Field, dialect: Dialect, where: str) -> TypeEngine[Any]:
    """The column type for an Arrow field.

    :raises UserErrorException: there is none, as for lists.
    """
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    for belongs, made in _MADE:
        if belongs(kind):
            return made(kind, family(dialect))
    raise UserErrorException(
        f"{where}, column {field.name!r}: {kind} has no counterpart in a table. Make it text or "
        f"numbers first."
    )


def arrow_type(kind: TypeEngine[Any], dialect: Dialect) -> pa.DataType:
    """What values of a column are in Arrow; text for types that have no counterpart there."""
    database = family(dialect)
    if isinstance(kind, sa.DateTime):
        zoned = database == "mssql" and isinstance(kind, mssql.DATETIMEOFFSET)
        return INSTANT if has_time_zones(dialect) and (zoned or kind.timezone) else TIMESTAMP
    if isinstance(kind, sa.Integer):
        return _integer(kind, database)
    if isinstance(kind, sa.Float):  # before Numeric, which it is a kind of in SQLAlchemy 2.0
        short = isinstance(kind, sa.REAL) or (
            isinstance(kind, mysql.FLOAT) and (kind.precision or 0) <= _DIGITS_OF_FLOAT
        )
        return pa.float32() if short and database != "sqlite" else pa.float64()
    if isinstance(kind, sa.Numeric):
        known = kind.precision is not None and kind.precision <= _MOST_DIGITS
        return pa.decimal128(kind.precision, kind.scale or 0) if known else UNLIMITED_DECIMAL
    return next((arrow for known_type, arrow in _READ if isinstance(kind, known_type)), pa.string())


def _integer(kind: sa.Integer, database: str) -> pa.DataType:
    if isinstance(kind, mysql.TINYINT) and kind.display_width == 1:
        return pa.bool_()  # which is how MySQL writes BOOLEAN
    unsigned = bool(getattr(kind, "unsigned", False))
    if database == "sqlite" or isinstance(kind, sa.BigInteger):
        return pa.uint64() if unsigned else pa.int64()
    if isinstance(kind, (sa.SmallInteger, mysql.TINYINT, mssql.TINYINT)):
        return pa.int32() if unsigned else pa.int16()
    return pa.int64() if unsigned else pa.int32()


def _compiled(kind: TypeEngine[Any], dialect: Dialect) -> str:
    try:
        return kind.compile(dialect=dialect)
    except sa.exc.CompileError:  # a type that SQLAlchemy does not know
        return str(kind)


def _text(kind: pa.DataType, database: str) -> TypeEngine[Any]:
    # Their plain TEXT ends at 64 KiB (MySQL) or is not Unicode (SQL Server).
    return {"mysql": mysql.LONGTEXT(), "mssql": mssql.NVARCHAR()}.get(database, sa.Text())


def _bytes(kind: pa.DataType, database: str) -> TypeEngine[Any]:
    if database == "mssql":
        return mssql.VARBINARY("max")  # type: ignore[no-untyped-call]
    return mysql.LONGBLOB() if database == "mysql" else sa.LargeBinary()


def _short_float(kind: pa.DataType, database: str) -> TypeEngine[Any]:
    # MySQL shows six digits of its FLOAT, which is less than it has.
    return sa.Float(53) if database == "mysql" else sa.REAL()


def _time(kind: pa.DataType, database: str) -> TypeEngine[Any]:
    return mysql.TIME(fsp=6) if database == "mysql" else sa.Time()


def _moment(kind: pa.DataType, database: str) -> TypeEngine[Any]:
    zoned = kind.tz is not None
    if database == "mssql":
        made = mssql.DATETIMEOFFSET if zoned else mssql.DATETIME2
        return made(6)
    return mysql.DATETIME(fsp=6) if database == "mysql" else sa.DateTime(timezone=zoned)


def _of(*checks: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    return lambda kind: any(check(kind) for check in checks)


_types = pa.types
_Made = Callable[[pa.DataType, str], TypeEngine[Any]]
# The column type for an Arrow type, in a database of this family.
_MADE: tuple[tuple[Callable[[pa.DataType], bool], _Made], ...] = (
    (_types.is_boolean, lambda kind, database: sa.Boolean()),
    (_of(_types.is_int8, _types.is_int16, _types.is_uint8), lambda kind, database: sa.SmallInteger()),
    (_of(_types.is_int32, _types.is_uint16), lambda kind, database: sa.Integer()),
    (_of(_types.is_int64, _types.is_uint32), lambda kind, database: sa.BigInteger()),
    (_types.is_uint64, lambda kind, database: sa.Numeric(20, 0)),
    (_of(_types.is_float16, _types.is_float32), _short_float),
    (_types.is_float64, lambda kind, database: sa.Float(53)),
    (_types.is_decimal, lambda kind, database: sa.Numeric(kind.precision, kind.scale)),
    (_of(_types.is_string, _types.is_large_string, _types.is_null), _text),
    (_of(_types.is_binary, _types.is_large_binary, _types.is_fixed_size_binary), _bytes),
    (_types.is_date, lambda kind, database: sa.Date()),
    (_types.is_time, _time),
    (_types.is_timestamp, _moment),
)
_READ: tuple[tuple[type[TypeEngine[Any]], pa.DataType], ...] = (
    (sa.Boolean, pa.bool_()),
    (sa.Date, pa.date32()),
    (sa.Time, TIME),
    (mysql.TIME, TIME),
    (mysql.YEAR, pa.int16()),
    (mysql.BIT, pa.binary()),
    (mssql.MONEY, pa.decimal128(19, 4)),
    (mssql.SMALLMONEY, pa.decimal128(10, 4)),
    *((blob, pa.binary()) for blob in (sa.LargeBinary, sa.BINARY, sa.VARBINARY)),
    *((blob, pa.binary()) for blob in (mysql.TINYBLOB, mysql.MEDIUMBLOB, mysql.LONGBLOB)),
)
