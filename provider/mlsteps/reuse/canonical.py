"""One way to write a value, so that equal values have equal bytes; for keys and what is told about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from mlsteps.exceptions import UserErrorException
from mlsteps.run import values

Scalar: TypeAlias = "bool | int | float | str | None"
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"


def plain(value: object, where: str) -> Any:
    """A copy of ``value`` of nothing but dicts, lists and scalars, whatever subclasses it was made of.

    :param where: What the value is, for the error.
    :raises UserErrorException: JSON has nothing for it.
    """
    try:
        return _plain(value, where)
    except RecursionError:
        raise UserErrorException(f"{where} is nested too deeply, or holds itself.") from None


def scalar(value: object, where: str) -> Scalar:
    """As `plain`, of a text, a number, a switch or None only."""
    if isinstance(value, (list, tuple, Mapping)):
        raise UserErrorException(f"{where} has to be one value, not a {type(value).__name__}.")
    found: Scalar = plain(value, where)
    return found


def text(value: object, where: str) -> str:
    """As `plain`, of a text only."""
    if not isinstance(value, str):
        raise UserErrorException(f"{where} has to be a text, not a {type(value).__name__}.")
    found: str = _plain(value, where)
    return found


def optional_text(value: object, where: str) -> str | None:
    """As `text`, or None."""
    return None if value is None else text(value, where)


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """``value`` if it is a mapping, with plain texts as keys."""
    if not isinstance(value, Mapping):
        raise UserErrorException(f"{where} has to be a mapping, not a {type(value).__name__}.")
    return {text(key, f"A name in {where}"): item for key, item in value.items()}


def to_strict(value: object) -> Any:
    """``value`` (of `plain`) as strict JSON types: numbers that JSON lacks are written as objects."""
    return json.loads(values.dumps(value))


def from_strict(value: object, where: str) -> Any:
    """The inverse of `to_strict`.

    :raises UserErrorException: it is nothing that `to_strict` gives.
    """
    try:
        return values.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserErrorException(f"{where} is not readable: {error}") from error


def encode(value: object) -> bytes:
    """The bytes that stand for a value of `plain`, the same in every Python and on every machine.

    Values of different types never have the same bytes: 1, 1.0, True and "1" are four values.
    """
    return json.dumps(
        to_strict(value), sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    ).encode("ascii")


def same(one: object, other: object) -> bool:
    """Whether two values of `plain` are the same. To ``==``, 1 and True are, and NaN and NaN are not."""
    return encode(one) == encode(other)


def _plain(value: object, where: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _joined(str.__str__(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain(item, where) for key, item in mapping(value, where).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, where) for item in value]
    raise UserErrorException(
        f"{where} holds a {type(value).__name__}. "
        f"Use texts, numbers, True, False, None, and lists and mappings of them."
    )


def _joined(value: str) -> str:
    # JSON writes a pair of surrogates like the character that the pair stands for, so both have to be one.
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
