"""Change: one difference between two reuse keys, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse import canonical, words
from mlsteps.reuse.canonical import Json

Part = Literal[
    "code",
    "hash_paths",
    "command",
    "argument",
    "parameter",
    "input",
    "output",
    "variable",
    "environment",
    "package",
    "version",
    "extra",
    "kind",
    "format",
]
Action = Literal["changed", "added", "removed"]

_WORLDS_APART = 1000


@dataclass(frozen=True)
class Change:
    """One difference between two keys.

    :param part: Which part of the key it is in.
    :param name: What changed there: a file, an option, a parameter, a package. A file of an input is
        ``port: file``, what was declared of a port is ``port.setting``.
    :param before, after: The values; digests where only those are known, and nothing of variables.
    """

    part: Part
    name: str
    before: Json = None
    after: Json = None
    action: Action = "changed"

    @property
    def count(self) -> int:
        """How many things it stands for: one, or the files that are not named one by one."""
        counts = self.part in ("code", "input") and type(self.after) is int
        return cast("int", self.after) if counts else 1

    def in_words(self) -> str:
        """A few words on one line, such as ``--lr 0.1 -> 0.2``."""
        return words.of_change(self)

    def to_plain(self) -> dict[str, Any]:
        """The change as strict JSON types."""
        found: dict[str, Any] = canonical.to_strict({f.name: getattr(self, f.name) for f in fields(self)})
        return found

    @classmethod
    def from_plain(cls, value: object) -> Change:
        """The change that `to_plain` described.

        :raises UserErrorException: it is none.
        """
        known = dict(canonical.mapping(canonical.from_strict(value, "A change"), "A change"))
        if known.keys() != {f.name for f in fields(cls)}:
            raise UserErrorException(f"A change has other fields than it should: {', '.join(sorted(known))}.")
        if known["part"] not in get_args(Part) or known["action"] not in get_args(Action):
            raise UserErrorException(f"A change of unknown kind: {known['part']!r}, {known['action']!r}.")
        return cls(**{**known, "name": canonical.text(known["name"], "A change's name")})


def distance(changes: Iterable[Change]) -> int:
    """How far apart two keys are; of several earlier results the nearest has the smallest."""
    return sum(_WORLDS_APART if change.part in ("kind", "format") else change.count for change in changes)
