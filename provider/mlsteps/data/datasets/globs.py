"""Patterns in paths: ``*`` and ``?`` within a folder, ``**`` across folders, as SDK v1 has them."""

from __future__ import annotations

import re
from functools import lru_cache


def is_glob(path: str) -> bool:
    """Whether a path names many files. Brackets are characters like others."""
    return "*" in path or "?" in path


def fixed_prefix(pattern: str) -> str:
    """The folder that everything a pattern matches lies in; empty is the datastore's root."""
    parts = pattern.split("/")
    fixed = next(index for index, part in enumerate(parts) if is_glob(part))
    return "/".join(parts[:fixed])


@lru_cache(maxsize=256)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """A regular expression to ``fullmatch`` paths with.

    ``**`` as a whole part is any number of folders, none included; at the end it is every file below. Beside
    other characters it is any text, slashes included. A slash at the end means the same as ``/**``.
    """
    if pattern.endswith("/"):
        pattern += "**"
    parts = pattern.split("/")
    text = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            text += ".+" if last else "(?:[^/]+/)*"
        else:
            text += _part(part) + ("" if last else "/")
    return re.compile(text, re.DOTALL)


def _part(part: str) -> str:
    kinds = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(kinds.get(token, re.escape(token)) for token in re.findall(r"\*\*|.", part, re.DOTALL))
