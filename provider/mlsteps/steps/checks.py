"""What steps check of their arguments, each as soon as it can be known."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.directories import find_directory

# Values of on_reuse.
SKIP, SUCCESS = "skip", "success"


def checked_name(name: object) -> str:
    """``name`` if a step can be called so.

    :raises StepDefinitionError: it is no text, or empty.
    """
    if isinstance(name, str) and name.strip():
        return name
    raise StepDefinitionError(str(name), "name", f"expected a text, got {name!r}")


def checked_patterns(step: str, patterns: object) -> list[str]:
    if patterns is None:
        return []
    if isinstance(patterns, (list, tuple)) and all(isinstance(p, str) and p.strip() for p in patterns):
        return list(patterns)
    raise StepDefinitionError(
        step, "source_files", f"expected a list of patterns, got {patterns!r}", "Put it in a list."
    )


def checked_on_reuse(step: str, value: object) -> str | None:
    if value is None or value in (SKIP, SUCCESS):
        return value
    raise StepDefinitionError(
        step, "on_reuse", f"expected {SKIP!r} or {SUCCESS!r}, got {value!r}", "Leave it out for 'skip'."
    )


def checked_age(step: str, argument: str, value: object) -> timedelta | None:
    try:
        return as_age(value)
    except ValueError as error:
        raise StepDefinitionError(step, argument, str(error)) from None


def as_age(value: object) -> timedelta | None:
    """An age that was given as a timedelta or in seconds; None is any age.

    :raises ValueError: it is neither, or negative.
    """
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0:
        return timedelta(seconds=seconds)
    raise ValueError(f"expected a timedelta or seconds, got {value!r}")


def checked_source_directory(step: str, given: str | os.PathLike[str] | None, base: Path) -> Path:
    try:
        return find_directory(given, base)
    except FileNotFoundError as error:
        raise StepDefinitionError(step, "source_directory", str(error)) from None
