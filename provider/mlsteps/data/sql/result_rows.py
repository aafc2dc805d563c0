"""Rows of a database driver, made into Arrow record batches of a settled schema."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import pyarrow as pa

from mlsteps.data.sql.result_types import UNLIMITED_DECIMAL
from mlsteps.exceptions import DatastoreException


def to_batch(rows: Sequence[Sequence[Any]], schema: pa.Schema, first_row: int) -> pa.RecordBatch:
    """``rows`` as a record batch.

    :param first_row: The number of the first of them in the whole result, for errors.
    :raises DatastoreException: a value does not fit its column's type; the text names both.
    """
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [_array(values, field, first_row) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field, first_row: int) -> pa.Array:
    """The values at once where they are what Arrow takes, which is fast; one by one if not."""
    # Asked beforehand, because Arrow would cut the fraction off a float that goes into an integer column.
    if set(map(type, values)) <= _TAKEN.get(field.type.id, set()):
        try:
            return pa.array(values, field.type)
        except (pa.ArrowException, OverflowError):
            pass  # a value is too large: below it is found, or rounded
    fitting = [_fitting(value, field, first_row + position) for position, value in enumerate(values)]
    return pa.array(fitting, field.type)


def _fitting(value: Any, field: pa.Field, row: int) -> Any:
    if value is None:
        return None
    try:
        converted = _CONVERTERS[field.type.id](value, field.type)
        pa.array([converted], field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, ArithmeticError):
        shown = repr(value)
        raise DatastoreException(
            f"Column {field.name!r}, row {row + 1} of the result: "
            f"{shown if len(shown) <= 80 else shown[:77] + '...'} does not fit {field.type}, "
            f"which the column is taken for. Give it one type in the query, as in "
            f"CAST({field.name} AS ...)."
        ) from None
    return converted


def _integer(value: Any, kind: pa.DataType) -> int:
    if isinstance(value, int):
        return int(value)
    raise TypeError


def _float(value: Any, kind: pa.DataType) -> float:
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    raise TypeError


def _text(value: Any, kind: pa.DataType) -> str:
    """Text as it is; arrays and documents as JSON; what else there is (intervals, UUIDs) by str()."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError
    return str(value)


def _bytes(value: Any, kind: pa.DataType) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError


def _boolean(value: Any, kind: pa.DataType) -> bool:
    if value in (0, 1):
        return bool(value)
    raise ValueError


def _decimal(value: Any, kind: pa.DataType) -> Any:
    """A decimal with all its digits; only where the database sets no limit it is rounded to ours."""
    number = Decimal(repr(value) if isinstance(value, float) else str(value))
    with localcontext() as context:
        context.prec = 100
        rounded = number.quantize(Decimal(1).scaleb(-kind.scale), rounding=ROUND_HALF_EVEN)
    if rounded != number and kind != UNLIMITED_DECIMAL and not isinstance(value, float):
        raise ValueError
    return rounded


def _time(value: Any, kind: pa.DataType) -> datetime.time:
    if isinstance(value, datetime.time):
        return value
    if isinstance(value, str):
        return datetime.time.fromisoformat(value)
    if not datetime.timedelta() <= value < datetime.timedelta(days=1):
        raise ValueError  # MySQL's TIME is a span of up to five weeks
    moment: datetime.datetime = datetime.datetime.min + value
    return moment.time()


def _timestamp(value: Any, kind: pa.DataType) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime.datetime) or (moment.tzinfo is not None) != (kind.tz is not None):
        raise TypeError
    return moment


def _date(value: Any, kind: pa.DataType) -> datetime.date:
    if isinstance(value, str):
        return datetime.date.fromisoformat(value)
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise TypeError
    return value


_CONVERTERS: dict[int, Callable[[Any, pa.DataType], Any]] = {
    pa.lib.Type_INT16: _integer,
    pa.lib.Type_INT32: _integer,
    pa.lib.Type_INT64: _integer,
    pa.lib.Type_FLOAT: _float,
    pa.lib.Type_DOUBLE: _float,
    pa.lib.Type_STRING: _text,
    pa.lib.Type_BINARY: _bytes,
    pa.lib.Type_BOOL: _boolean,
    pa.lib.Type_DECIMAL128: _decimal,
    pa.lib.Type_TIME64: _time,
    pa.lib.Type_TIMESTAMP: _timestamp,
    pa.lib.Type_DATE32: _date,
}
_TAKEN: dict[int, set[type]] = {
    pa.lib.Type_INT16: {int, type(None)},
    pa.lib.Type_INT32: {int, type(None)},
    pa.lib.Type_INT64: {int, type(None)},
    pa.lib.Type_FLOAT: {float, type(None)},
    pa.lib.Type_DOUBLE: {float, type(None)},
    pa.lib.Type_STRING: {str, type(None)},
    pa.lib.Type_BINARY: {bytes, type(None)},
    pa.lib.Type_BOOL: {bool, type(None)},
    pa.lib.Type_DECIMAL128: {Decimal, type(None)},
    pa.lib.Type_TIME64: {datetime.time, type(None)},
    pa.lib.Type_TIMESTAMP: {datetime.datetime, type(None)},
    pa.lib.Type_DATE32: {datetime.date, type(None)},
}
