"""The Arrow types of a result's columns: what the driver says, and where it says nothing what the values are.

They are settled before the first row is handed on, because a Parquet file has one type for a column.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

TIMESTAMP = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")
TIME = pa.time64("us")
# For a decimal whose digits the database does not limit, as of sum() and avg(): what other tools take too.
UNLIMITED_DECIMAL = pa.decimal128(38, 18)

_MOST_DIGITS = 38

# PostgreSQL: object ids of its built-in types (pg_type.oid, the same everywhere)
_POSTGRESQL = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    26: pa.int64(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: TIME,
    1114: TIMESTAMP,
    1184: INSTANT,
}
_POSTGRESQL_NUMERIC = 1700

# MySQL and MariaDB: type codes of the protocol. Whether an integer is unsigned is not said: so one size up.
_MYSQL = {
    1: pa.int16(),
    2: pa.int32(),
    3: pa.int64(),
    4: pa.float32(),
    5: pa.float64(),
    7: TIMESTAMP,
    8: pa.int64(),
    9: pa.int32(),
    10: pa.date32(),
    11: TIME,
    12: TIMESTAMP,
    13: pa.int16(),
    16: pa.binary(),
    255: pa.binary(),
}
_MYSQL_TINY = 1
_MYSQL_DECIMALS = (0, 246)

# Drivers such as pyodbc that give a Python type. Also what values say about their column.
_PYTHON: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    bytearray: pa.binary(),
    memoryview: pa.binary(),
    datetime.date: pa.date32(),
    datetime.time: TIME,
    uuid.UUID: pa.string(),
}


def settled_schema(
    family: str, description: Sequence[Sequence[Any]], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> pa.Schema:
    """Names and types of a result's columns.

    :param family: The database's, see ``databases.family``.
    :param description: The DB-API cursor's.
    :param rows: The first rows, for columns of which the driver does not say the type.
    """
    return pa.schema(
        [
            pa.field(name, _declared(family, column) or _by_values(row[position] for row in rows))
            for position, (name, column) in enumerate(zip(names, description, strict=True))
        ]
    )


def _declared(family: str, column: Sequence[Any]) -> pa.DataType | None:
    code, size, precision, scale = column[1], column[3], column[4], column[5]
    if family == "postgresql":
        return _decimal(precision, scale) if code == _POSTGRESQL_NUMERIC else _POSTGRESQL.get(code)
    if family == "mysql":
        if code in _MYSQL_DECIMALS:
            # The size counts the characters that it takes to show one: sign and point too.
            return _decimal(size - (1 if scale else 0) if size else None, scale)
        # BOOLEAN is an integer that is shown in one character.
        return pa.bool_() if code == _MYSQL_TINY and size == 1 else _MYSQL.get(code)
    if code is Decimal:
        return _decimal(precision, scale)
    return _PYTHON.get(code) if isinstance(code, type) else None


def _decimal(precision: int | None, scale: int | None) -> pa.DataType:
    if not precision or scale is None or not 0 <= scale <= _MOST_DIGITS:
        return UNLIMITED_DECIMAL
    return pa.decimal128(min(max(precision, scale, 1), _MOST_DIGITS), scale)


def _by_values(values: Any) -> pa.DataType:
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return kinds.pop() if len(kinds) == 1 else pa.string()


def _kind(value: Any) -> pa.DataType:
    if isinstance(value, datetime.datetime):
        return INSTANT if value.tzinfo else TIMESTAMP
    if isinstance(value, Decimal):
        return UNLIMITED_DECIMAL
    return _PYTHON.get(type(value), pa.string())
