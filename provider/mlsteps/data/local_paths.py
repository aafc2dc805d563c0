"""Where a file that a store, or a script, has named stands in a folder here: in it, and nowhere else.

Object stores take any name, ``..`` included; whoever can write to one could name files of this machine.
"""

from __future__ import annotations

from pathlib import Path

from mlsteps.exceptions import UserErrorException


def checked_name(name: str, what: str) -> str:
    """A file's name below some folder, as it is.

    :param what: Whose name it is, for the error.
    :raises UserErrorException: it leads out of any folder, or is no path.
    """
    parts = name.split("/")
    if "\0" in name or name.startswith("/") or ".." in parts or not _is_text(name):
        raise UserErrorException(
            f"{what} cannot be a file of a folder: its name leads out of it, or is no path. Rename it."
        )
    return name


def path_below(folder: Path, name: str, what: str) -> Path:
    """The path of a file that is called ``name`` below ``folder``; the folder's own if that is empty.

    :raises UserErrorException: as :func:`checked_name`.
    """
    return folder / checked_name(name, what)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
