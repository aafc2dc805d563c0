"""Rules for the names of ports, outputs and parameters."""

from __future__ import annotations

import re

from mlsteps.exceptions import UserErrorException

_PORT = re.compile(r"[A-Za-z0-9_]+")
_DATASET_PORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_port_name(name: object, what: str) -> str:
    """``name`` if PipelineData and port bindings may carry it (letters, digits, underscores)."""
    if not isinstance(name, str) or not _PORT.fullmatch(name):
        raise UserErrorException(
            f"{what} name {name!r} is not valid: it may contain only letters, digits, and underscores."
        )
    return name


def check_dataset_port_name(name: object, what: str) -> str:
    """``name`` if an output or input configuration may carry it: also an environment variable's name."""
    if not isinstance(name, str) or not _DATASET_PORT.fullmatch(name):
        raise UserErrorException(
            f"{what} name {name!r} is not valid: "
            f"use letters, digits and underscores, not starting with a digit."
        )
    return name


def is_text(value: object) -> bool:
    """Whether ``value`` is a text that is not empty, as names of datastores and parameters are."""
    return isinstance(value, str) and value != ""


def environment_variable(name: str) -> str:
    """``name`` as it appears inside AML_PARAMETER_<name>: anything but word characters becomes '_'."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)
