"""Names of scripts, as users write them: relative to a source directory."""

from __future__ import annotations

import functools
import os
import re
from pathlib import PurePosixPath


@functools.cache
def is_outside(script_name: str) -> bool:
    """Whether a name leads out of the source directory."""
    return os.path.isabs(script_name) or os.path.normpath(script_name).startswith("..")


def pattern_of(script_name: str) -> str:
    """The pattern, as in a ``.gitignore`` file, that names this file and nothing else."""
    return "/" + re.sub(r"[\\\[\]*?!# ]", r"\\\g<0>", os.path.normpath(script_name))


@functools.cache
def with_slashes(script_name: str) -> str:
    """A name as it is written on any system."""
    return PurePosixPath(script_name.replace("\\", "/")).as_posix()
