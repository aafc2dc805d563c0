"""Turns what scripts log (plain Python, numpy, pandas, torch) into JSON, and JSON into values again.

The libraries are recognised by the methods their objects have (``item``, ``tolist``), never imported.

JSON has no NaN and no infinity, and strict parsers (``JSON.parse``, ``jq``, database columns) refuse Python's
spelling of them, so such a number is written as the object ``{"$float": "nan"}`` (or ``"inf"``, ``"-inf"``).
So that no object of the user's is mistaken for one, a key that starts with ``$`` is written with one
more ``$``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Union

Scalar = Union[None, bool, int, float, str]

_FLOAT = "$float"


class Converted(NamedTuple):
    """A value as it is logged; ``faithful`` is False where only its text could be kept."""

    value: Scalar
    faithful: bool


def to_scalar(value: object) -> Converted:
    """Reduce ``value`` to a JSON scalar: itself, its ``item()`` (numpy, torch), its float, or its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return Converted(_plain(value), True)
    reduced = _item(value)
    if reduced is None or isinstance(reduced, (bool, int, float, str)):
        return Converted(_plain(reduced), True)
    # numpy's longdouble reduces to itself; Decimal and TensorFlow's tensors have no item(). A complex number
    # is left alone: float() of numpy's drops the imaginary part.
    if not isinstance(reduced, complex) and hasattr(type(value), "__float__"):
        try:
            return Converted(float(value), True)  # type: ignore[arg-type]
        except Exception:  # whatever a foreign __float__ raises, the text is still worth keeping
            pass
    return Converted(str(value), False)


def to_json(value: object) -> Any:
    """Reduce ``value`` to what JSON can hold, at any depth. Unknown objects become their text."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (str, bytes)):
        return to_scalar(value).value
    listed = to_list(value)
    return to_scalar(value).value if listed is None else [to_json(item) for item in listed]


def to_list(value: object) -> list[Any] | None:
    """The items of a list, array, series, range, set or generator; None if ``value`` is none of those."""
    if isinstance(value, (str, bytes, Mapping)):
        return None
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        items = tolist()
        return items if isinstance(items, list) else None
    try:
        return list(value) if isinstance(value, Iterable) else None
    except TypeError:  # a zero-dimensional tensor is Iterable by its type and refuses to be iterated over
        return None


def dumps(value: object) -> str:
    """``value`` as one line of strict, pure ASCII JSON. The inverse of ``loads``.

    Raises:
        TypeError: ``value`` holds something else than dicts with text keys, lists and scalars.
    """
    return json.dumps(_escape(value), allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """The value that ``dumps`` wrote.

    Raises:
        ValueError: ``text`` is not JSON.
    """
    return json.loads(text, object_hook=_unescape)


def _plain(value: Scalar) -> Scalar:
    """Strip subclasses (``numpy.float64``, enums), whose own text JSON would otherwise take."""
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value) if base is not str else str.__str__(value)
    return value


def _item(value: object) -> object:
    try:
        return value.item()  # type: ignore[attr-defined]
    except Exception:  # no such method, or an array of more than one element
        return value


def _escape(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: repr(float(value))}
    if isinstance(value, dict):
        return {"$" + key if key.startswith("$") else key: _escape(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escape(item) for item in value]
    return value


def _unescape(value: dict[str, Any]) -> Any:
    if len(value) == 1 and _FLOAT in value:
        return float(value[_FLOAT])
    return {key[1:] if key.startswith("$$") else key: item for key, item in value.items()}
