"""Asks the conda of this machine, where there is one: ``micromamba``, ``mamba`` or ``conda``."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from mlsteps.environment.conda_file import checked_conda
from mlsteps.environment.redaction import redact
from mlsteps.exceptions import EnvironmentBuildError

_PROGRAMS = ("micromamba", "mamba", "conda")
_VARIABLES = ("MAMBA_EXE", "CONDA_EXE")
_SECONDS = 120


def find_conda() -> str | None:
    """Return the path of a conda: on ``PATH``, or what an activated one left in the variables."""
    for program in _PROGRAMS:
        found = shutil.which(program)
        if found:
            return found
    named = (os.environ.get(variable) for variable in _VARIABLES)
    return next((path for path in named if path and os.access(path, os.X_OK)), None)


def export_environment(name: str) -> dict[str, Any] | None:
    """Return the packages of a conda environment as a conda specification, or ``None`` if there is none.

    Raises:
        EnvironmentBuildError: there is no conda on this machine, or it does not answer.
        UserErrorException: what it answers is no conda specification.
    """
    import yaml

    conda = find_conda()
    if conda is None:
        raise EnvironmentBuildError(
            f"The conda environment {name!r} cannot be read: there is no conda on this machine (looked for "
            f"{', '.join(_PROGRAMS)}). Export it where it is with 'conda env export', and use "
            "Environment.from_conda_specification."
        )
    try:
        # with builds: they tell which packages are Python's
        answer = subprocess.run(
            [conda, "env", "export", "--name", name],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentBuildError(f"{conda!r} does not export {name!r}: {error}") from error
    if answer.returncode != 0:
        if "EnvironmentLocationNotFound" in answer.stderr or "not exist" in answer.stderr:
            return None
        problem = redact(answer.stderr.strip()[-2000:])
        raise EnvironmentBuildError(f"{conda!r} does not export {name!r}: {problem}")
    exported = checked_conda(yaml.safe_load(answer.stdout), f"conda environment {name}")
    return {key: value for key, value in exported.items() if key in ("name", "channels", "dependencies")}
