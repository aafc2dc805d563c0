"""Finds the file that a DAG names, without reading it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

from mlsteps.exceptions import UserErrorException

_PACKAGE = Path(__file__).resolve().parent.parent


def locate(path: str | os.PathLike[str], what: str) -> Path:
    """Return the absolute path of an existing file; one or two ``stat`` calls, nothing is read.

    A relative path is looked up from the working directory, as in SDK v1, then beside the script or DAG file
    that calls: the working directory of the process that parses DAG files is arbitrary.

    Raises:
        UserErrorException: the file is in neither place.
    """
    wanted = Path(path).expanduser()
    places = [Path.cwd()] if wanted.is_absolute() else [Path.cwd(), *_folder_of_caller()]
    for place in places:
        candidate = place / wanted
        if candidate.is_file():
            return Path(os.path.abspath(candidate))  # not resolve(): a link may be re-pointed
    looked = " and ".join(str(place) for place in dict.fromkeys(places))
    where = "" if wanted.is_absolute() else f" (looked in {looked})"
    raise UserErrorException(f"{what}: there is no file {str(path)!r}{where}.")


def _folder_of_caller() -> list[Path]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_absolute() and _PACKAGE not in file.parents:
            return [file.parent]
        frame = frame.f_back
    return []
