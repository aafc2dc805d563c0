"""Which files of an output are wanted."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_wanted(path: str, patterns: Sequence[str] | None) -> bool:
    """Whether a file's path matches any of the glob patterns; of none at all, every path does.

    A ``*`` takes slashes too; ``**/`` may also stand for no folder at all.
    """
    if patterns is None:
        return True
    return any(fnmatch(path, pattern) or fnmatch(path, pattern.replace("**/", "")) for pattern in patterns)
