"""Parameters of stored procedures: a name, a value and the type that the procedure expects."""

from __future__ import annotations

import datetime
import math
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException

# The name is a part of the statement, unlike the value, which is always bound.
_NAME = re.compile(r"@?[^\W\d]\w*")


class StoredProcedureParameterType(Enum):
    """What a stored procedure's parameter is in the database.

    (SDK v1: ``azureml.data.stored_procedure_parameter.StoredProcedureParameterType``.)
    """

    String = "String"
    Int = "Int"
    Decimal = "Decimal"
    Guid = "Guid"
    Boolean = "Boolean"
    Date = "Date"


class StoredProcedureParameter:
    """One value for a stored procedure.

    :param name: The parameter's name in the procedure: letters, digits, underscores. SQL Server's leading
        ``@`` may be there or not.
    :param value: A value of ``type``, or a text that says one (``"5"``, ``"2024-01-31"``, ``"true"``); None
        is NULL.
    :param type: What it is in the database. Default: what ``value`` is in Python.
    :raises UserErrorException: the name is no name, or the value is not of the type.

    (SDK v1: ``azureml.data.stored_procedure_parameter.StoredProcedureParameter``.)
    """

    def __init__(self, name: str, value: Any, type: StoredProcedureParameterType | str | None = None) -> None:
        if not is_text(name) or not _NAME.fullmatch(name):
            raise UserErrorException(
                f"StoredProcedureParameter name {name!r} is not valid: use letters, digits and underscores, "
                f"not starting with a digit."
            )
        self.name = name
        self.value = value
        self.type = _type(name, type)
        self.bound_value()

    def __repr__(self) -> str:
        return f"StoredProcedureParameter({self.name!r}, {self.value!r}, {self.type})"

    def bound_value(self) -> Any:
        """The value as the database driver gets it: None, str, int, Decimal, bool or date (or float).

        :raises UserErrorException: the value is not of the type.
        """
        if self.value is None:
            return None
        read = _READERS[self.type] if self.type else _as_it_is
        try:
            return read(self.value)
        except (ValueError, TypeError, InvalidOperation):
            wanted = f"a {self.type.value}" if self.type else "a text, number, bool, date or UUID"
            raise UserErrorException(
                f"StoredProcedureParameter {self.name!r}: the value {self.value!r} "
                f"({type(self.value).__name__}) is not {wanted}."
            ) from None


def _type(name: str, given: object) -> StoredProcedureParameterType | None:
    if given is None or isinstance(given, StoredProcedureParameterType):
        return given
    try:
        return StoredProcedureParameterType(given)
    except ValueError:
        known = ", ".join(kind.name for kind in StoredProcedureParameterType)
        raise UserErrorException(
            f"StoredProcedureParameter {name!r}: the type {given!r} is not one of "
            f"StoredProcedureParameterType: {known}."
        ) from None


def _as_it_is(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (str, bool, int, float, Decimal, datetime.date)):
        return value
    raise TypeError


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError
    return int(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, str, float, Decimal)):
        raise TypeError
    number = Decimal(str(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _guid(value: Any) -> str:
    # As text, which every driver takes and every database turns into its own type.
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(_string(value)))


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return _BOOLEANS[str(value).lower()]
    except KeyError:
        raise ValueError from None


def _date(value: Any) -> datetime.date:
    if isinstance(value, datetime.date):
        return value
    text = _string(value)
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return datetime.datetime.fromisoformat(text)


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_READERS: dict[StoredProcedureParameterType, Callable[[Any], Any]] = {
    StoredProcedureParameterType.String: _string,
    StoredProcedureParameterType.Int: _int,
    StoredProcedureParameterType.Decimal: _decimal,
    StoredProcedureParameterType.Guid: _guid,
    StoredProcedureParameterType.Boolean: _boolean,
    StoredProcedureParameterType.Date: _date,
}
