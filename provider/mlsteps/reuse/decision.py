"""Decision: whether an earlier result stands for a step, why, and how that reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, get_args

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse import canonical, decision_words
from mlsteps.reuse.canonical import Json
from mlsteps.reuse.change import Change

Action = Literal["reuse", "run", "unknown"]


class Cause(str, Enum):
    """Why a step is reused or runs."""

    UNCHANGED = "unchanged"
    JOINED = "joined"
    FIRST = "first"
    CHANGED = "changed"
    OUTPUTS_MISSING = "outputs missing"
    OUTPUTS_ALTERED = "outputs altered"
    NOT_ALLOWED = "not allowed"
    FORCED = "forced"
    CLEARED = "cleared"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    WAITED_TOO_LONG = "waited too long"
    UPSTREAM = "upstream"
    LATER = "later"


@dataclass(frozen=True)
class Decision:
    """What was decided about a step. Made by the functions that are named for the causes.

    :param action: ``reuse``, ``run``, or ``unknown`` where it cannot be told yet.
    :param changes: Since the result that ``origin`` tells of.
    :param details: What the cause is about: an output, an age, a problem.
    :param origin: The try whose result is reused, or compared with: dag_id, run_id, task_id, map_index,
        try_number, name, created.
    """

    action: Action
    cause: Cause
    changes: tuple[Change, ...] = ()
    details: Mapping[str, Json] = field(default_factory=dict)
    origin: Mapping[str, Any] | None = None

    @classmethod
    def unchanged(cls, origin: Mapping[str, Any]) -> Decision:
        """Reuse: nothing changed, and the earlier result still stands."""
        return cls("reuse", Cause.UNCHANGED, origin=origin)

    @classmethod
    def joined(cls, origin: Mapping[str, Any]) -> Decision:
        """Reuse: another run was just making this result."""
        return cls("reuse", Cause.JOINED, origin=origin)

    @classmethod
    def first(cls) -> Decision:
        """Run: there is no earlier result to compare with."""
        return cls("run", Cause.FIRST)

    @classmethod
    def changed(cls, changes: Iterable[Change], origin: Mapping[str, Any] | None = None) -> Decision:
        """Run: something differs from every earlier result."""
        return cls("run", Cause.CHANGED, tuple(changes), origin=origin)

    @classmethod
    def outputs_missing(
        cls, output: str, places: Sequence[str], origin: Mapping[str, Any] | None = None
    ) -> Decision:
        """Run: some of an earlier output is gone. ``places`` are its files, as people look for them."""
        return cls(
            "run", Cause.OUTPUTS_MISSING, details={"output": output, "places": list(places)}, origin=origin
        )

    @classmethod
    def outputs_altered(
        cls, output: str, places: Sequence[str], origin: Mapping[str, Any] | None = None
    ) -> Decision:
        """Run: an earlier output is not what it was. ``places`` as for `outputs_missing`."""
        return cls(
            "run", Cause.OUTPUTS_ALTERED, details={"output": output, "places": list(places)}, origin=origin
        )

    @classmethod
    def not_allowed(cls) -> Decision:
        """Run: the step says ``allow_reuse=False``."""
        return cls("run", Cause.NOT_ALLOWED)

    @classmethod
    def forced(cls) -> Decision:
        """Run: whoever started this run asked for ``regenerate_outputs``."""
        return cls("run", Cause.FORCED)

    @classmethod
    def cleared(cls) -> Decision:
        """Run: somebody cleared the step to have it run again."""
        return cls("run", Cause.CLEARED)

    @classmethod
    def expired(cls, age: timedelta, max_age: timedelta, origin: Mapping[str, Any] | None = None) -> Decision:
        """Run: the earlier result is older than ``reuse_max_age``."""
        details = {"age": age.total_seconds(), "max_age": max_age.total_seconds()}
        return cls("run", Cause.EXPIRED, details=details, origin=origin)

    @classmethod
    def unreadable(cls, problem: str) -> Decision:
        """Run: there may be an earlier result, but it or its store cannot be read.

        :param problem: What cannot be read, and why; told as it is.
        """
        return cls("run", Cause.UNREADABLE, details={"problem": problem})

    @classmethod
    def waited_too_long(cls, origin: Mapping[str, Any], waited: timedelta | None = None) -> Decision:
        """Run: another run is making this result, but has not ended in time."""
        details = {} if waited is None else {"waited": waited.total_seconds()}
        return cls("run", Cause.WAITED_TOO_LONG, details=details, origin=origin)

    @classmethod
    def upstream(cls, steps: Sequence[str]) -> Decision:
        """Unknown: inputs are known only when ``steps`` have run."""
        return cls("unknown", Cause.UPSTREAM, details={"steps": list(steps)})

    @classmethod
    def later(cls, why: str) -> Decision:
        """Unknown: the step decides when it starts, because of ``why``, such as "it is mapped"."""
        return cls("unknown", Cause.LATER, details={"why": why})

    def in_words(self) -> str:
        """One line, such as ``re-run: prepare.py changed; --lr 0.1 -> 0.2``."""
        return decision_words.of_decision(self)

    def to_plain(self) -> dict[str, Any]:
        """The decision as strict JSON types."""
        return {
            "action": self.action,
            "cause": self.cause.value,
            "changes": [change.to_plain() for change in self.changes],
            "details": canonical.to_strict(canonical.plain(self.details, "A decision's details")),
            "origin": canonical.to_strict(canonical.plain(self.origin, "A decision's origin")),
        }

    @classmethod
    def from_plain(cls, value: object) -> Decision:
        """The decision that `to_plain` described.

        :raises UserErrorException: it is none, or its cause is not known here.
        """
        known = canonical.mapping(value, "A decision")
        if known.keys() != {"action", "cause", "changes", "details", "origin"}:
            raise UserErrorException(
                f"A decision has other fields than it should: {', '.join(sorted(known))}."
            )
        if known["action"] not in get_args(Action):
            raise UserErrorException(f"A decision for an unknown action: {known['action']!r}.")
        if not isinstance(known["changes"], (list, tuple)):
            raise UserErrorException("A decision's changes have to be a list.")
        try:
            cause = Cause(known["cause"])
        except ValueError as error:
            raise UserErrorException(f"A decision of unknown cause: {known['cause']!r}.") from error
        origin = canonical.from_strict(known["origin"], "A decision's origin")
        return cls(
            known["action"],
            cause,
            tuple(Change.from_plain(change) for change in known["changes"]),
            canonical.mapping(
                canonical.from_strict(known["details"], "A decision's details"), "A decision's details"
            ),
            None if origin is None else canonical.mapping(origin, "A decision's origin"),
        )
