"""What git says of a source directory: for records, never for a decision."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def describe(directory: Path) -> Mapping[str, str | bool]:
    """``commit``, ``branch`` and ``dirty`` of the directory, or nothing where it is not in a git checkout.

    A checkout of a commit, as deployments make it, has the branch ``""``.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _git(directory, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return {
        "commit": commit,
        "branch": _git(directory, "symbolic-ref", "--quiet", "--short", "HEAD") or "",
        "dirty": bool(changes),
    }


def _git(directory: Path, *arguments: str) -> str | None:
    # Of a caller that is itself run by git, for example in a hook, such variables name another checkout.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},  # "status" must not write to the checkout
            timeout=10,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
