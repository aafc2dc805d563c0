"""Folders as DAG files write them, found and made into paths; every step of a DAG file comes by here."""

from __future__ import annotations

import functools
import os
from pathlib import Path


@functools.cache
def _joined(folder: str, written: str) -> str:
    """A folder as it is written in a DAG file, seen from ``folder`` unless it is absolute."""
    return os.path.normpath(os.path.join(folder, written.replace("\\", "/") if os.sep == "/" else written))


@functools.cache
def as_path(text: str) -> Path:
    """One object for all steps of a folder: making one takes longer than looking whether it is there."""
    return Path(text)


def find_directory(given: str | os.PathLike[str] | None, base: Path) -> Path:
    """A folder as a DAG file may write it: absolute, or relative to ``base`` or the working directory.

    :raises FileNotFoundError: the text says where it was looked for.
    """
    text = os.path.expanduser(given) if given is not None else "."
    # As texts, because every step of a DAG file comes by here.
    tried = []
    for folder in (os.fspath(base), os.getcwd()):
        candidate = _joined(folder, text)
        if os.path.isdir(candidate):
            return as_path(candidate)
        tried.append(candidate)
    raise FileNotFoundError(f"{text!r} does not exist (looked for {' and '.join(dict.fromkeys(tried))})")
