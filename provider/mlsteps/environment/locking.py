"""Resolves a spec to a lock with uv, for all platforms that a step may run on."""

from __future__ import annotations

import datetime
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlsteps.environment.installer import Installer, find_uv, requirements_input, run_installer
from mlsteps.environment.interpreters import Interpreter, find_interpreter, running_interpreter
from mlsteps.environment.lock import EnvironmentLock, locked_lines
from mlsteps.environment.machine_settings import installer_variables
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import EnvironmentBuildError

RESOLVE_TIMEOUT = 900.0

_NOT_THERE = re.compile(r"\b([A-Za-z0-9][A-Za-z0-9._-]*) was not found in the (?:package registry|provided)")

# uv takes the limits of a resolution from a project's file only. It also keeps uv from finding the settings
# of whatever project the folder of the workspace happens to lie in.
_LIMITS = """\
[project]
name = "mlsteps-lock"
version = "0"
requires-python = ">={python}"

[tool.uv]
environments = ["python_full_version < '{next}' and sys_platform != 'win32'"]
"""


def resolve(
    spec: PythonEnvironmentSpec,
    python: str,
    on_line: Callable[[str], None],
    secrets: UrlSecrets,
    timeout: float = RESOLVE_TIMEOUT,
    constraints: Sequence[str] = (),
) -> EnvironmentLock:
    """Return the packages that ``spec`` means now, for Python ``python`` (a minor version).

    Args:
        spec: what is asked for. Its own Python version does not matter here.
        python: such as ``3.11``. It need not be installed, unless a package has to be built to be known.
        on_line: gets progress.
        secrets: credentials of the package indexes in ``spec``.
        timeout: seconds that it may take.
        constraints: versions that packages have if they are needed at all.

    Raises:
        EnvironmentBuildError: there is no uv, no package index could be reached, or the requirements
            contradict each other; the text holds the end of uv's output.
    """
    if not spec.requirements:
        return EnvironmentLock(python, (), spec.options)
    installer = Installer(find_uv())
    if installer.uv is None:
        raise EnvironmentBuildError(
            f"The packages of {spec} cannot be resolved: uv is not installed on this machine. "
            "Install it beside mlsteps (pip install uv)."
        )
    start = time.monotonic()
    on_line(f"Resolving {spec} for Python {python}.")
    with tempfile.TemporaryDirectory(prefix="mlsteps-lock-") as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(_LIMITS.format(python=python, next=_next(python)))
        output, constrained = folder / "lock.txt", folder / "constraints.txt"
        constrained.write_text("\n".join(constraints), encoding="utf-8")
        try:
            run_installer(
                installer.compile_command(
                    python,
                    _interpreter(python),
                    spec.options,
                    output,
                    _has_hashes(spec.requirements),
                    constrained if constraints else None,
                ),
                what=f"Resolving {spec} for Python {python}",
                stdin=secrets.reveal_all(requirements_input(spec.requirements, spec.options)),
                variables=installer_variables(any(item.startswith("--index-url") for item in spec.options)),
                folder=folder,
                timeout=timeout,
                on_line=on_line,
                mask=secrets.mask,
            )
        except EnvironmentBuildError as error:
            raise EnvironmentBuildError(f"{error}{_advice(str(error))}") from error
        lines = locked_lines(output.read_text(encoding="utf-8"), python, secrets)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    lock = EnvironmentLock(python, lines, spec.options, now, installer.name)
    on_line(f"Resolved {spec} to {lock} in {time.monotonic() - start:.1f} s.")
    return lock


def minor_version(spec: PythonEnvironmentSpec, image_python: str | None = None) -> str:
    """Return the minor version of Python that ``spec`` gets: asked for, the image's, or this machine's.

    Raises:
        EnvironmentBuildError: a range is asked for, and no Python here is in it.
    """
    wanted = spec.python
    if wanted is not None and wanted.replace(".", "").isdigit():
        return wanted
    if image_python is not None:
        return image_python
    return ".".join(map(str, find_interpreter(wanted, find_uv()).version[:2]))


def _advice(text: str) -> str:
    """What to do about a package that the index does not have; nothing where that is not the trouble."""
    missing = dict.fromkeys(_NOT_THERE.findall(" ".join(text.split())))
    if not missing:
        return ""
    return (
        f"\nThere is no package {', '.join(map(repr, missing))} on the package index. If it is in a conda "
        "specification it needs a real conda: name what it is called on the index, run the step on local "
        "compute with the extra 'conda', or in a container image that has it (Environment.from_docker_image, "
        "from_dockerfile)."
    )


def _interpreter(python: str) -> Interpreter:
    """The one to build packages with that do not say what they need; another version mostly serves."""
    try:
        return find_interpreter(python)
    except EnvironmentBuildError:
        return running_interpreter()


def _next(python: str) -> str:
    major, minor = python.split(".")
    return f"{major}.{int(minor) + 1}"


def _has_hashes(requirements: tuple[str, ...]) -> bool:
    return any("--hash=" in item for item in requirements)
