"""Single arguments of a DatabricksStep, checked for their types."""

from __future__ import annotations

from typing import Any

from mlsteps.exceptions import StepDefinitionError


def text_of(step: str, argument: str, given: Any) -> str | None:
    """A text that is not empty, or None.

    :raises StepDefinitionError: it is something else.
    """
    if given is None or (isinstance(given, str) and given.strip()):
        return given
    raise StepDefinitionError(step, argument, f"expected a text, got {given!r}")


def flag_of(step: str, argument: str, given: Any) -> bool | None:
    """True, False or None.

    :raises StepDefinitionError: it is something else.
    """
    if given is None or isinstance(given, bool):
        return given
    raise StepDefinitionError(step, argument, f"expected True or False, got {given!r}")


def seconds_of(step: str, given: Any) -> int | None:
    """A number of seconds, or None.

    :raises StepDefinitionError: it is something else.
    """
    if given is None or (type(given) is int and given >= 0):
        return given
    raise StepDefinitionError(step, "timeout_seconds", f"expected a number of seconds, got {given!r}")
