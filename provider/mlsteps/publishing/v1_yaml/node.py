"""Node: a mapping of a YAML file, whose keys are asked for; one that nobody asks for is a mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from mlsteps.exceptions import PipelineValidationError


class Node:
    """Some settings of a YAML file.

    :param value: What stands there; nothing is no settings.
    :param where: What they are of, for errors.
    :raises PipelineValidationError: they are no mapping.
    """

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if value is not None and not isinstance(value, Mapping):
            self.refuse(f"expected settings, found {value!r}")
        self._left: dict[str, Any] = {str(key): part for key, part in (value or {}).items()}

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, *names: str, default: Any = None) -> Any:
        """A setting under the first of its names that is there."""
        for name in names:
            if name in self._left:
                return self._left.pop(name)
        return default

    def text(self, *names: str) -> str | None:
        """A setting that is a text, or is not there."""
        value = self.take(*names)
        if value is not None and not isinstance(value, str):
            self.refuse(f"{names[0]!r} must be a text, found {value!r}")
        return value

    def needed(self, *names: str) -> str:
        """A text that has to be there."""
        value = self.text(*names)
        return value if value else self.refuse(f"{names[0]!r} is missing")

    def listed(self, name: str) -> list[Any] | None:
        """A setting that is a list, or is not there."""
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            self.refuse(f"{name!r} must be a list, found {value!r}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool | None:
        """A setting that is true or false; SDK v1 wanted some of them as texts."""
        value = self.take(name, default=default)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            self.refuse(f"{name!r} must be true or false, found {value!r}")
        return value

    def nodes(self, *names: str) -> Iterator[tuple[str, Node]]:
        """The settings below one of these names, each with its own."""
        value = self.take(*names)
        inner = Node(value, f"{self.where}, {names[0]}")
        for key, part in inner.rest().items():
            yield key, Node(part, f"{inner.where}, {key!r}")

    def rest(self) -> dict[str, Any]:
        """What nobody has asked for yet."""
        return dict(self._left)

    def done(self) -> None:
        """Refuse what nobody asked for.

        :raises PipelineValidationError: naming it.
        """
        if self._left:
            unknown = ", ".join(map(repr, self._left))
            self.refuse(f"{unknown} is not a setting that is known here")

    def refuse(self, problem: str) -> NoReturn:
        """Raise ``PipelineValidationError``."""
        raise PipelineValidationError(f"{self.where}: {problem}.")
