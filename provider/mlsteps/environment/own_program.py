"""Programs of ours that run in a process of their own, for a library that has no business in a worker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# Isolated but for the library, which may be installed for this user only, or found by PYTHONPATH.
_START = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_path(sys.argv[2], run_name='__main__')"


def folder_of_library(name: str) -> str | None:
    """Return the folder that a library is imported from; None if it is not installed."""
    found = importlib.util.find_spec(name)
    return str(Path(found.origin).parent.parent) if found and found.origin else None


def program_command(program: str, library_folder: str) -> list[str]:
    """Return the command that runs a file of ours with this interpreter.

    Args:
        program: its path.
        library_folder: where what it imports is.
    """
    return [sys.executable, "-I", "-c", _START, library_folder, program]
