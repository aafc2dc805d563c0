"""Whether data fits a table: column names and types before anything is written, values as they are cast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from sqlalchemy.engine import Dialect

from mlsteps.data.sql.databases import has_time_zones
from mlsteps.data.sql.table_columns import TableColumn
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import UserErrorException

_types = pa.types


def matched(
    schema: pa.Schema, columns: Sequence[TableColumn], dialect: Dialect, where: str, table: TableName
) -> tuple[TableColumn, ...]:
    """The table's columns that data of ``schema`` goes into, in the data's order.

    :param where: What the data are, for errors: a file's path.
    :raises UserErrorException: naming the column, and what was expected and found.
    """
    target = by_name(schema.names, columns, where, table)
    for field, column in zip(schema, target, strict=True):
        if not _fits(field.type, column.arrow_type, dialect):
            raise UserErrorException(
                f"{where}, column {field.name!r}: expected {column.sql_type}, as table {str(table)!r} has "
                f"it, found {field.type}."
            )
    return target


def by_name(
    names: Sequence[str], columns: Sequence[TableColumn], where: str, table: TableName
) -> tuple[TableColumn, ...]:
    """The columns of these names.

    :raises UserErrorException: the table lacks one, or has another that it needs.
    """
    known = {column.name: column for column in columns}
    for name in names:
        if name not in known:
            raise UserErrorException(
                f"{where}, column {name!r}: table {str(table)!r} has no such column; expected one of "
                f"{', '.join(known)}. Upper and lower case count."
            )
    missing = [column for column in columns if column.required and column.name not in names]
    if missing:
        raise UserErrorException(
            f"{where}: column {missing[0].name!r} is missing; expected {missing[0].sql_type} NOT NULL, as "
            f"table {str(table)!r} has it, found only {', '.join(names)}."
        )
    return tuple(known[name] for name in names)


def cast_batch(
    batch: pa.RecordBatch, columns: Sequence[TableColumn], where: str, first_row: int | None = None
) -> pa.RecordBatch:
    """``batch`` with the types of its table's columns.

    :param first_row: The number of its first row in the data, for errors.
    :raises UserErrorException: a value does not fit: too large, too many digits, a fraction for an integer.
    """
    arrays = [_cast(batch.column(n), column, where, first_row) for n, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])


def _cast(array: pa.Array, column: TableColumn, where: str, first_row: int | None) -> pa.Array:
    if _types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _left_to_the_database(array.type, column.arrow_type):
        return array
    try:
        return _exactly(array, column.arrow_type)
    except pa.ArrowException:
        row, value = _culprit(array, column.arrow_type)
        number = "" if first_row is None else f", row {first_row + row + 1}"
        raise UserErrorException(
            f"{where}, column {column.name!r}{number}: expected {column.sql_type}, found {value!r} "
            f"({array.type}), which does not fit."
        ) from None


def _exactly(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """``array`` cast so that nothing is lost."""
    if _types.is_timestamp(array.type) and _types.is_timestamp(kind):
        # The instant's time in UTC where a database has no zones.
        return array.cast(pa.timestamp(kind.unit, tz=array.type.tz))
    if _types.is_decimal(kind) and _types.is_integer(array.type):
        array = array.cast(
            pa.decimal128(20, 0)
        )  # straight to few digits, Arrow refuses whatever the values are
    if _types.is_decimal(kind) and _types.is_decimal(array.type):
        return array.cast(kind)
    cast = array.cast(kind)
    if _types.is_date(kind) and not cast.cast(array.type).equals(array):
        raise pa.ArrowInvalid("a time of day would be lost")
    return cast


def _culprit(array: pa.Array, kind: pa.DataType) -> tuple[int, object]:
    for position in range(len(array)):
        try:
            _exactly(array.slice(position, 1), kind)
        except pa.ArrowException:
            return position, array[position].as_py()
    return 0, None


def _left_to_the_database(found: pa.DataType, expected: pa.DataType) -> bool:
    """Fractions for a decimal column: the database rounds them, and refuses those that are too large."""
    return bool(_types.is_decimal(expected) and _types.is_floating(found))


def _fits(found: pa.DataType, expected: pa.DataType, dialect: Dialect) -> bool:
    """Whether values of one type may be values of the other; single ones may still be too large."""
    kind = found.value_type if _types.is_dictionary(found) else found
    if _types.is_null(kind):
        return True
    if _types.is_timestamp(expected) and _types.is_timestamp(kind):
        return bool((kind.tz is None) == (expected.tz is None)) or not has_time_zones(dialect)
    takes = next((takes for is_kind, takes in _TAKES if is_kind(expected)), _is_text)
    return bool(takes(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(_types.is_string(kind) or _types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(_types.is_binary(kind) or _types.is_large_binary(kind) or _types.is_fixed_size_binary(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(_types.is_integer(kind) or _types.is_floating(kind) or _types.is_decimal(kind))


def _is_day(kind: pa.DataType) -> bool:
    # pandas has no dates, only midnights.
    return bool(_types.is_date(kind) or (_types.is_timestamp(kind) and kind.tz is None))


_Check = Callable[[pa.DataType], bool]
_TAKES: tuple[tuple[_Check, _Check], ...] = (
    (_types.is_boolean, _types.is_boolean),
    (_types.is_integer, _is_number),
    (_types.is_floating, _is_number),
    (_types.is_decimal, _is_number),
    (_types.is_date, _is_day),
    (_types.is_time, _types.is_time),
    (_types.is_timestamp, _types.is_date),
    (_is_bytes, _is_bytes),
)
