"""Packages for tests that are not among the development tools, in folders of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from servers.debian import ServerMissing

_INSTALL_SECONDS = 600


def uv(what: str, *arguments: str | Path) -> None:
    """Run uv.

    :param what: What for, for errors.
    :raises ServerMissing: it is not there, or fails.
    """
    beside = Path(sys.executable).parent / "uv"
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise ServerMissing(f"Needs uv to install {what}.")
    try:
        subprocess.run(
            [program, *arguments],
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
            timeout=_INSTALL_SECONDS,
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise ServerMissing(f"{what} cannot be installed: {error.stderr[-1000:]}") from None
    except subprocess.TimeoutExpired as error:
        raise ServerMissing(f"{what} cannot be installed: {error}") from None
