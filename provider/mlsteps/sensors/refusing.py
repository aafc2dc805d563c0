"""How a ReuseSensor refuses a wrong declaration: one form for all its errors."""

from __future__ import annotations

from mlsteps.exceptions import UserErrorException


def refused(sensor: str, argument: str, problem: str, fix: str = "") -> UserErrorException:
    """The error that names the sensor and the argument, and says what to do."""
    text = f"ReuseSensor {sensor!r}, argument {argument!r}: {problem.rstrip('.')}."
    return UserErrorException(f"{text} {fix}".rstrip())
