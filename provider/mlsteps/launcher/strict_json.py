"""Reading JSON without guessing: every field is named, typed and known, or the text says which is not."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10


def render(kind: str, version: int, fields: dict[str, Any]) -> str:
    """Return a document of ``kind`` and ``version`` as JSON; ASCII only, so that odd file names survive."""
    return json.dumps({"kind": kind, "version": version, **fields}, allow_nan=False, indent=1)


def parse(text: str | bytes, kind: str, version: int) -> Fields:
    """Return the fields of a document written by `render`.

    Raises:
        UserErrorException: It is not JSON, not an object, of another kind or another version.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UserErrorException(f"Not a readable {kind}: {error}") from error
    fields = Fields(value, kind)
    found_kind = fields.text("kind")
    if found_kind != kind:
        raise UserErrorException(f"Expected a {kind}, found a document of kind {found_kind!r}")
    found = fields.integer("version")
    if found != version:
        raise UserErrorException(
            f"This is version {found} of a {kind}; this mlsteps reads version {version}. "
            "Use the same mlsteps on both sides"
        )
    return fields


class Fields:
    """The fields of one JSON object; each reader checks the type and marks the field as known.

    Every reader raises ``UserErrorException`` naming the field if it is missing or of the wrong type.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise UserErrorException(f"{where}: expected an object, found {_describe(value)}")
        self._left = dict(value)
        self._where = where

    def finish(self) -> None:
        """Raise ``UserErrorException`` if there are fields that nobody asked for."""
        if self._left:
            raise UserErrorException(
                f"{self._where}: unknown field {', '.join(map(repr, sorted(self._left)))}"
            )

    def text(self, name: str) -> str:
        value = self._take(name)
        return value if isinstance(value, str) else self._wrong(name, "a string", value)

    def optional_text(self, name: str) -> str | None:
        value = self._take(name)
        return (
            value if value is None or isinstance(value, str) else self._wrong(name, "a string or null", value)
        )

    def flag(self, name: str) -> bool:
        value = self._take(name)
        return value if isinstance(value, bool) else self._wrong(name, "true or false", value)

    def optional_flag(self, name: str) -> bool | None:
        value = self._take(name)
        if value is None or isinstance(value, bool):
            return value
        self._wrong(name, "true, false or null", value)

    def integer(self, name: str) -> int:
        value = self._take(name)
        return int(value) if _is_integer(value) else self._wrong(name, "a whole number", value)

    def optional_integer(self, name: str) -> int | None:
        value = self._take(name)
        if value is None:
            return None
        return value if _is_integer(value) else self._wrong(name, "a whole number or null", value)

    def number(self, name: str) -> float:
        value = self._take(name)
        return float(value) if _is_number(value) else self._wrong(name, "a number", value)

    def optional_number(self, name: str) -> float | None:
        value = self._take(name)
        if value is None:
            return None
        return float(value) if _is_number(value) else self._wrong(name, "a number or null", value)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(name, "a list of strings", value)
        return tuple(value)

    def optional_texts(self, name: str) -> tuple[str, ...] | None:
        if self._left.get(name, "") is None:
            self._take(name)
            return None
        return self.texts(name)

    def mapping(self, name: str) -> dict[str, str]:
        value = self._take(name)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self._wrong(name, "an object of strings", value)
        return dict(value)

    def numbers(self, name: str) -> dict[str, float]:
        value = self._take(name)
        if not isinstance(value, dict) or not all(_is_number(item) for item in value.values()):
            self._wrong(name, "an object of numbers", value)
        return {key: float(item) for key, item in value.items()}

    def objects(self, name: str) -> list[Fields]:
        value = self._take(name)
        if not isinstance(value, list):
            self._wrong(name, "a list of objects", value)
        return [Fields(item, f"{self._where}, {name}[{index}]") for index, item in enumerate(value)]

    def value(self, name: str) -> Any:
        """Whatever JSON value the field has."""
        return self._take(name)

    def values(self, name: str) -> list[Any]:
        value = self._take(name)
        return list(value) if isinstance(value, list) else self._wrong(name, "a list", value)

    def items(self, name: str) -> dict[str, Any]:
        value = self._take(name)
        return dict(value) if isinstance(value, dict) else self._wrong(name, "an object", value)

    def nested(self, name: str) -> Fields:
        return Fields(self._take(name), f"{self._where}, {name}")

    def optional_nested(self, name: str) -> Fields | None:
        value = self._take(name)
        return None if value is None else Fields(value, f"{self._where}, {name}")

    def _take(self, name: str) -> Any:
        try:
            return self._left.pop(name)
        except KeyError:
            raise UserErrorException(f"{self._where}: the field {name!r} is missing") from None

    def _wrong(self, name: str, expected: str, value: object) -> NoReturn:
        raise UserErrorException(
            f"{self._where}: the field {name!r} must be {expected}, found {_describe(value)}"
        )


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _describe(value: object) -> str:
    from mlsteps.launcher.redaction import redacted  # a job may hold signed addresses

    text = redacted(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("an object has the same field twice")
    return fields
