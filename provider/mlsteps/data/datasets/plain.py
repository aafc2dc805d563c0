"""Frozen dataclasses as plain JSON and back: each has a kind, and fields at their default are left out.

That a default is left out keeps the id of a definition when a later release adds a field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from mlsteps.exceptions import UserErrorException

T = TypeVar("T")

_CLASSES: dict[str, type] = {}
_KINDS: dict[type, str] = {}


def plain(kind: str) -> Callable[[type[T]], type[T]]:
    """Decorator of a frozen dataclass: it is written as an object with this ``kind``."""

    def remember(cls: type[T]) -> type[T]:
        _CLASSES[kind], _KINDS[cls] = cls, kind
        return cls

    return remember


def to_plain(value: Any) -> Any:
    """``value`` as dicts, lists, texts, numbers, booleans and None."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = {
            f.name: to_plain(getattr(value, f.name))
            for f in fields(value)
            if f.default is MISSING or getattr(value, f.name) != f.default
        }
        return {"kind": _KINDS[type(value)], **shown}
    if isinstance(value, tuple):
        return [to_plain(part) for part in value]
    return value


def from_plain(value: Any) -> Any:
    """What :func:`to_plain` was given.

    :raises UserErrorException: a kind or field is unknown, or one is missing.
    """
    if isinstance(value, list):
        return tuple(from_plain(part) for part in value)
    if not isinstance(value, dict):
        return value
    kind = value.get("kind")
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise UserErrorException(
            f"A dataset's definition holds {kind!r}, which this mlsteps does not know: upgrade mlsteps."
        )
    try:
        return cls(**{name: from_plain(part) for name, part in value.items() if name != "kind"})
    except TypeError as error:
        raise UserErrorException(f"A dataset's definition is not readable: {kind}: {error}") from error
