"""The names that a share of Azure Files can have: those of Windows."""

from __future__ import annotations

import re

from mlsteps.exceptions import UserErrorException

_CHARACTERS = re.compile(r'["\\:|<>*?\x00-\x1f\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|clock\$|com[1-9]|lpt[1-9])(\..*)?")
_LONGEST_NAME = 255
_LONGEST_PATH = 2048


def check_name(path: str) -> None:
    """Refuse a path that the service would refuse, or take for another one.

    :raises UserErrorException: it holds such a name; the text says which and why.
    """
    if len(path) > _LONGEST_PATH:
        raise UserErrorException(
            f"{path[:60]!r}... cannot be a path on Azure Files: it has more than {_LONGEST_PATH} characters."
        )
    for name in path.split("/"):
        problem = _problem(name)
        if problem:
            raise UserErrorException(f"{path!r} cannot be a path on Azure Files: {name!r} {problem}.")


def _problem(name: str) -> str:
    found = _CHARACTERS.search(name)
    if found:
        return f"holds {found[0]!r}"
    if name.endswith(" "):
        return "ends with a blank"
    if _DEVICES.fullmatch(name):
        return "is the name of a device"
    if len(name.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST_NAME:
        return f"has more than {_LONGEST_NAME} characters"
    return ""
