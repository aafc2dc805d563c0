"""Rules for the names of ports, outputs and parameters."""

from __future__ import annotations

import re

from mlsteps.exceptions import UserErrorException

_PORT = re.compile(r"[A-Za-z0-9_]+")
# A dataset port is an environment variable too, and these decide whether a script can start at all.
_TAKEN = {"PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "SHELL", "USER", "PWD", "LANG"}
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
    if name in _TAKEN:
        raise UserErrorException(
            f"{what} name {name!r} is not usable: the environment variable of that name, which the script "
            f"needs, would hold the data's path. Use another name."
        )
    return name


def is_text(value: object) -> bool:
    """Whether ``value`` is a text that is not empty, as names of datastores and parameters are."""
    return isinstance(value, str) and value != ""


def environment_variable(name: str) -> str:
    """``name`` as it appears inside AML_PARAMETER_<name>: anything but word characters becomes '_'."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)
