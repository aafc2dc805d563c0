"""DataType: which type ``set_column_types`` gives a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from mlsteps.data.datasets.plain import plain
from mlsteps.exceptions import UserErrorException


@plain("type")
@dataclass(frozen=True)
class ColumnType:
    """The type of a column: ``string``, ``long``, ``float``, ``bool`` or ``datetime``.

    :param formats: Of a datetime, ``strptime`` formats that are tried in turn; none is those usual.
    :param decimal_mark: Of a float, ``.`` or ``,``.
    """

    name: str
    formats: tuple[str, ...] = ()
    decimal_mark: str = "."


class DataType:
    """Types for ``set_column_types``. (SDK v1: ``azureml.data.DataType``.)"""

    @staticmethod
    def to_string() -> ColumnType:
        """Text, as it stands in the file."""
        return ColumnType("string")

    @staticmethod
    def to_long() -> ColumnType:
        """64-bit integers."""
        return ColumnType("long")

    @staticmethod
    def to_float(decimal_mark: str = ".") -> ColumnType:
        """64-bit floating point numbers; with ``decimal_mark=","``, ``1.234,5`` is one."""
        if decimal_mark not in (".", ","):
            raise UserErrorException(f"DataType.to_float: decimal_mark {decimal_mark!r} is not '.' or ','.")
        return ColumnType("float", decimal_mark=decimal_mark)

    @staticmethod
    def to_bool() -> ColumnType:
        """Truth values: ``true`` and ``false`` in any case, ``1`` and ``0``, ``yes`` and ``no``."""
        return ColumnType("bool")

    @staticmethod
    def to_datetime(formats: str | Iterable[str] | None = None) -> ColumnType:
        """Points in time, in UTC without a zone.

        :param formats: One or several ``strptime`` formats, such as ``"%d/%m/%Y"``. Default: what fits
            all values of ISO 8601 (``2020-12-31T23:59:59Z``, or with slashes) and ``12/31/2020``, then
            ``31/12/2020``.
        """
        given = (formats,) if isinstance(formats, str) else tuple(formats or ())
        if not all(isinstance(form, str) for form in given):
            raise UserErrorException(f"DataType.to_datetime: formats must be texts, got {formats!r}.")
        return ColumnType("datetime", formats=given)

    @staticmethod
    def to_stream(workspace: object, escaped: bool = False) -> NoReturn:
        """SDK v1's columns of files; refused: use a FileDataset for the files."""
        raise UserErrorException(
            "DataType.to_stream is not available: make a FileDataset of the files, or read the column as "
            "text with DataType.to_string()."
        )


def named_types(given: Mapping[str, ColumnType] | None, what: str) -> tuple[tuple[str, ColumnType], ...]:
    """``set_column_types`` as a value.

    :raises UserErrorException: it does not map column names to types.
    """
    if given is None:
        return ()
    types: object = given
    if not isinstance(types, Mapping):
        raise UserErrorException(f"{what}: set_column_types must be a dict, got {given!r}.")
    for name, kind in types.items():
        if not isinstance(name, str) or not isinstance(kind, ColumnType):
            raise UserErrorException(
                f"{what}: set_column_types maps column names to types such as DataType.to_string(), "
                f"got {name!r}: {kind!r}."
            )
    return tuple(sorted(given.items(), key=lambda item: item[0]))
