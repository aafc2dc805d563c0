"""Decisions in words: one line for logs, records and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlsteps.reuse.words import head, printable, tail

if TYPE_CHECKING:
    from mlsteps.reuse.change import Change
    from mlsteps.reuse.decision import Decision

_MOST_CHANGES = 5
_LONGEST_PROBLEM = 300
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def of_decision(decision: Decision) -> str:
    """What ``decision`` says, on one line."""
    return " ".join(_WORDS[decision.cause.name](decision).splitlines())


def _changed(decision: Decision) -> str:
    return f"re-run: {'; '.join(_first(decision.changes)) or 'changed'}"


def _first(changes: Sequence[Change]) -> list[str]:
    told = [change.in_words() for change in changes[:_MOST_CHANGES]]
    more = sum(change.count for change in changes[_MOST_CHANGES:])
    return [*told, f"and {more} more"] if more else told


def _missing(decision: Decision) -> str:
    return f"re-run: output {_text(decision, 'output')} is missing{_places(decision)}"


def _altered(decision: Decision) -> str:
    return f"re-run: output {_text(decision, 'output')} was altered{_places(decision)}"


def _expired(decision: Decision) -> str:
    age, limit = _seconds(decision, "age"), _seconds(decision, "max_age")
    return f"re-run: the earlier result is {_age(age, limit)} old, reuse_max_age is {_span(limit)[0]}"


def _unreadable(decision: Decision) -> str:
    problem = head(printable(" ".join(_text(decision, "problem").split())), _LONGEST_PROBLEM)
    if problem[1:2].islower():  # a sentence of its own
        problem = problem[:1].lower() + problem[1:]
    return f"re-run: {problem or 'the earlier result cannot be read'}"


def _waited(decision: Decision) -> str:
    waited = f"{_span(_seconds(decision, 'waited'))[0]} " if "waited" in decision.details else ""
    return f"re-run: waited {waited}in vain for {_run(decision.origin)}, which makes the same result"


def _upstream(decision: Decision) -> str:
    found = decision.details.get("steps")
    steps = [repr(step) for step in found] if isinstance(found, (list, tuple)) else []
    if len(steps) < 2:
        return f"unknown until step {''.join(steps)} has run"
    return f"unknown until steps {', '.join(steps[:-1])} and {steps[-1]} have run"


def _run(origin: Mapping[str, Any] | None) -> str:
    if not origin or not origin.get("run_id"):
        return (
            "an earlier run" if origin is None or not origin.get("dag_id") else f"a run of {origin['dag_id']}"
        )
    dag = f" of {origin['dag_id']}" if origin.get("dag_id") else ""
    return f"run {origin['run_id']}{dag}"


def _places(decision: Decision) -> str:
    places = decision.details.get("places")
    if not isinstance(places, (list, tuple)) or not places:
        return ""
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f": {tail(str(places[0]))}{more}"


def _text(decision: Decision, name: str) -> str:
    return str(decision.details.get(name, ""))


def _seconds(decision: Decision, name: str) -> float:
    value = decision.details.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _age(seconds: float, limit: float) -> str:
    """As short as it still reads as more than the limit."""
    for units in range(1, len(_UNITS) + 1):
        said, shown = _span(seconds, units)
        if shown > limit:
            break
    return said


def _span(seconds: float, units: int = len(_UNITS)) -> tuple[str, int]:
    """A time as people say it, in so many units at most, and the seconds that this comes to."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for name, size in _UNITS:
        number = left // size
        if number and len(parts) < units:
            parts.append(f"{number} {name}{'' if number == 1 else 's'}")
            left -= number * size
    return " ".join(parts) or "0 seconds", int(seconds) - left


_WORDS: dict[str, Callable[[Decision], str]] = {
    "UNCHANGED": lambda decision: f"reused from {_run(decision.origin)}: nothing changed",
    "JOINED": lambda decision: f"reused from {_run(decision.origin)}, which was just making it",
    "FIRST": lambda decision: "no earlier run",
    "CHANGED": _changed,
    "OUTPUTS_MISSING": _missing,
    "OUTPUTS_ALTERED": _altered,
    "NOT_ALLOWED": lambda decision: "re-run: allow_reuse=False",
    "FORCED": lambda decision: "re-run: forced by regenerate_outputs",
    "CLEARED": lambda decision: "re-run: cleared and run again",
    "EXPIRED": _expired,
    "UNREADABLE": _unreadable,
    "WAITED_TOO_LONG": _waited,
    "UPSTREAM": _upstream,
    "LATER": lambda decision: f"unknown until it starts: {_text(decision, 'why')}",
}
