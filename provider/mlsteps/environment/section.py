"""Base of the settings of run configurations and environments: known names, plain form, reading it back."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mlsteps.exceptions import UserErrorException

_log = logging.getLogger(__name__)
_T = TypeVar("_T", bound="Section")

SECRET: Mapping[str, bool] = {"secret": True}
"""``field(metadata=SECRET)`` marks a setting that is never written or shown."""


class Section:
    """A group of settings, declared as a dataclass.

    Setting a name that was not declared is a slip of the pen: an error on the classes where SDK v1 had a
    fixed list (``_strict``), elsewhere kept but warned about. Names that begin with ``_`` are the caller's
    own business.

    The plain form has SDK v1's camelCase keys, so that ``.runconfig`` and ``azureml_environment.json`` files
    of existing repositories can be read.
    """

    _strict: ClassVar[bool] = False

    if not TYPE_CHECKING:  # hidden from type checkers, which would otherwise accept any attribute

        def __setattr__(self, name: str, value: Any) -> None:
            if not name.startswith("_") and name not in _known_names(type(self)):
                problem = _unknown_name(type(self), name)
                if self._strict:
                    raise AttributeError(problem)
                _log.warning("%s It is kept, but nothing reads it.", problem)
            super().__setattr__(name, value)

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as dictionaries, lists and scalars, without secrets."""
        return {
            _camel(item.name): _plain(getattr(self, item.name))
            for item in _settings(type(self))
            if not item.metadata.get("secret")
        }

    @classmethod
    def from_plain(cls: type[_T], plain: Mapping[str, Any]) -> _T:
        """Return a section with the settings of ``plain``; keys may be camelCase or snake_case."""
        section = cls()
        section.update(plain)
        return section

    def update(self, plain: Mapping[str, Any]) -> None:
        """Take the settings in ``plain`` over, nested ones too; keys of other SDK versions are passed by.

        Raises:
            UserErrorException: a nested section is given as something else.
        """
        names = _known_names(type(self))
        for key, value in plain.items():
            name = _snake(key)
            if name not in names:
                _log.debug("%s: %r is not a setting that mlsteps knows; passed by", type(self).__name__, key)
                continue
            current = getattr(self, name)
            if value is None and isinstance(current, (Section, list, dict)):
                continue  # an empty key in a file leaves the default; nobody expects None there
            if isinstance(current, Section):
                if not isinstance(value, Mapping):
                    raise UserErrorException(
                        f"{type(self).__name__}: {key!r} must hold settings, not {value!r}."
                    )
                current.update(value)
            else:
                self._set_plain(name, value)

    def _set_plain(self, name: str, value: Any) -> None:
        """Set one setting from its plain form; overridden where that is not the value itself."""
        setattr(self, name, value)

    def __repr__(self) -> str:
        shown = [
            f"{item.name}={getattr(self, item.name)!r}"
            for item in _settings(type(self))
            if not item.metadata.get("secret")
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _settings(section: type[Section]) -> tuple[Field[Any], ...]:
    # fields() wants a dataclass; every Section is one, but its base cannot say so
    return fields(section)  # type: ignore[arg-type]


_known: dict[type[Section], frozenset[str]] = {}


def _known_names(section: type[Section]) -> frozenset[str]:
    if section not in _known:  # asked at every assignment
        properties = {n for c in section.__mro__ for n, v in vars(c).items() if isinstance(v, property)}
        _known[section] = frozenset(item.name for item in _settings(section)) | properties
    return _known[section]


def _unknown_name(section: type[Section], name: str) -> str:
    known = _known_names(section)
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known))}."
    return f"{section.__name__} has no setting {name!r}; {advice}"


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return value.to_plain()
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(getattr(value, "name", value))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
