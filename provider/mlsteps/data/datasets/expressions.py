"""Conditions of ``filter``: what ``ds['age'] > 3`` gives, as plain data that is evaluated later."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any, NoReturn

from mlsteps.exceptions import UserErrorException

# ("gt", ("column", "age"), ("value", 3)): an operator and its operands.
Tree = tuple[Any, ...]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_TEXTS = {"contains": "contains", "starts_with": "startswith", "ends_with": "endswith"}


class Expression:
    """A condition on columns, such as ``(ds['age'] > 3) & ~ds['city'].is_null()``.

    Compare with ``== != < <= > >=``, combine with ``& | ~`` (not ``and``, ``or``, ``not``, which Python does
    not let a library redefine). Missing values compare as false, but to ``!=``. (SDK v1 has the same in
    ``azureml.dataprep.api.expressions``.)
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def __repr__(self) -> str:
        return f"Expression({self.tree!r})"

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("eq", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("ne", other)

    def __lt__(self, other: object) -> Expression:
        return self._with("lt", other)

    def __le__(self, other: object) -> Expression:
        return self._with("le", other)

    def __gt__(self, other: object) -> Expression:
        return self._with("gt", other)

    def __ge__(self, other: object) -> Expression:
        return self._with("ge", other)

    def __and__(self, other: object) -> Expression:
        return self._with("and", other)

    def __or__(self, other: object) -> Expression:
        return self._with("or", other)

    def __invert__(self) -> Expression:
        return Expression(("not", self.tree))

    def __bool__(self) -> NoReturn:
        raise UserErrorException(
            "A filter expression is neither true nor false before data is read: combine expressions with "
            "&, | and ~, each in parentheses, instead of and, or and not."
        )

    def is_null(self) -> Expression:
        """Whether the value is missing."""
        return Expression(("null", self.tree))

    def contains(self, value: str) -> Expression:
        """Whether the text holds ``value``."""
        return self._with("contains", value)

    def starts_with(self, value: str) -> Expression:
        """Whether the text starts with ``value``."""
        return self._with("starts_with", value)

    def ends_with(self, value: str) -> Expression:
        """Whether the text ends with ``value``."""
        return self._with("ends_with", value)

    def _with(self, name: str, other: object) -> Expression:
        return Expression((name, self.tree, _operand(other)))


def column(name: str) -> Expression:
    """The values of a column."""
    return Expression(("column", name))


def recent(ago: timedelta) -> Tree:
    """The time that was ``ago`` when data is read."""
    return ("ago", ago.total_seconds())


def tree_of(expression: object, what: str) -> Tree:
    """The tree of what a user passed as ``what``.

    :raises UserErrorException: it is no expression.
    """
    if isinstance(expression, Expression):
        return expression.tree
    raise UserErrorException(
        f"{what}: expression must be a condition such as dataset['column'] > 3, got {expression!r}."
    )


def columns_of(tree: Tree) -> set[str]:
    """The names of the columns that an expression reads."""
    if tree[0] == "column":
        return {tree[1]}
    return set().union(*(columns_of(part) for part in tree[1:] if isinstance(part, tuple)))


def evaluate(tree: Tree, values: Mapping[str, Any]) -> Any:
    """The result of an expression over single values, or over pandas columns by name.

    :raises UserErrorException: a column is unknown, or values do not compare.
    """
    name, operands = tree[0], tree[1:]
    if name == "column":
        if operands[0] not in values:
            there = ", ".join(map(str, values)) or "none"
            raise UserErrorException(f"filter: there is no column {operands[0]!r}; there is {there}.")
        return values[operands[0]]
    if name == "value":
        return operands[0]
    if name == "datetime":
        return datetime.fromisoformat(operands[0])
    if name == "ago":
        return datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=operands[0])
    try:
        return _apply(name, [evaluate(part, values) for part in operands])
    except (TypeError, AttributeError) as error:
        raise UserErrorException(
            f"filter: {describe(tree)} does not work on these values: {error}. Compare values of one type; "
            f"set_column_types says which type a column has."
        ) from error


def describe(tree: Tree) -> str:
    """An expression as a user would write it."""
    signs = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|"}
    name, operands = tree[0], tree[1:]
    if name in ("column", "value", "datetime"):
        return f"[{operands[0]!r}]" if name == "column" else repr(operands[0])
    if name == "ago":
        return f"{operands[0]:g} seconds ago"
    shown = [describe(part) for part in operands]
    if name in signs:
        return f"({shown[0]} {signs[name]} {shown[1]})"
    return f"~{shown[0]}" if name == "not" else f"{shown[0]}.{name}({', '.join(shown[1:])})"


def _apply(name: str, operands: list[Any]) -> Any:
    first = operands[0]
    is_column = hasattr(first, "isna")
    if name in _COMPARISONS:
        return _COMPARISONS[name](first, operands[1])
    if name == "and":
        return first & operands[1]
    if name == "or":
        return first | operands[1]
    if name == "not":
        return ~_as_flags(first) if is_column else not first
    if name == "null":
        return first.isna() if is_column else first is None
    if name in _TEXTS:
        if not is_column:
            found = operands[1] in first if name == "contains" else getattr(first, _TEXTS[name])(operands[1])
            return bool(found)
        fixed = {"regex": False} if name == "contains" else {}
        return _as_flags(getattr(first.str, _TEXTS[name])(operands[1], **fixed))
    raise UserErrorException(f"filter: the operation {name!r} is unknown to this mlsteps: upgrade mlsteps.")


def _as_flags(column: Any) -> Any:
    """A pandas column of truth values, missing ones as false."""
    return column == True  # noqa: E712 - element by element


def _operand(value: object) -> Tree:
    if isinstance(value, Expression):
        return value.tree
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        # Data is in UTC without a zone.
        moment = value if value.tzinfo is None else value.astimezone(timezone.utc).replace(tzinfo=None)
        return ("datetime", datetime.isoformat(moment))
    if hasattr(value, "item") and not isinstance(value, (str, bool, int, float)):
        value = value.item()  # a numpy scalar
    if isinstance(value, float) and not math.isfinite(value):
        raise UserErrorException(f"filter: cannot compare with {value!r}; is_null() finds missing values.")
    if value is None or isinstance(value, (str, bool, int, float)):
        return ("value", value)
    raise UserErrorException(
        f"filter: cannot compare a column with {value!r}; use a text, number, truth value or datetime."
    )
