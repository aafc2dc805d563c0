"""What git says of a source directory: for records, never for a decision."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


def describe(directory: Path) -> Mapping[str, str | bool]:
    """``commit``, ``branch`` and ``dirty`` of the directory, or nothing where it is not in a git checkout."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _git(directory, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return {
        "commit": commit,
        "branch": _git(directory, "rev-parse", "--abbrev-ref", "HEAD") or "",
        "dirty": bool(changes),
    }


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
