"""Makes the spec of a ``CondaDependencies``: conda names translated, SDK packages, credentials left out."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

from mlsteps.environment.conda_dependencies import CondaDependencies
from mlsteps.environment.conda_names import parse_conda_package
from mlsteps.environment.conda_spec import CondaSpec
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.requirements import requirement_name
from mlsteps.environment.spec import PythonEnvironmentSpec

_log = logging.getLogger(__name__)
_logged: set[str] = set()

_LEFT_OUT = "conda package"  # how a note about one begins

# pip and its kind are the builder's choice; a script that needs one lists it among its pip packages
_INSTALLERS = frozenset({"pip", "uv"})


@dataclass(frozen=True)
class ResolvedPython:
    """A spec, what was left out of it and why (``notes``, for a task's log), and the credentials it needs."""

    spec: PythonEnvironmentSpec
    notes: tuple[str, ...] = ()
    secrets: UrlSecrets = field(default_factory=UrlSecrets, compare=False)


def python_spec(dependencies: CondaDependencies) -> ResolvedPython:
    """Return the spec for ``dependencies``; reads their file if they have one that was not read yet.

    Not in the spec, each with a note: ``azureml-*`` packages, whose role ``mlsteps`` plays, and conda
    packages that pip cannot have. A package of the former that had the extra ``[pandas]`` leaves ``pandas``
    behind, which scripts that list it do use.

    Raises:
        UserErrorException: the file or an entry of it is not usable.
    """
    secrets = UrlSecrets()
    pip, options = dependencies.installer_lines(secrets)
    requirements: list[str] = []
    notes: list[str] = []
    conda: list[str] = []
    for requirement in pip:
        if is_sdk_package(requirement):
            requirements += _behind_sdk_package(requirement)
            notes.append(_sdk_note(requirement))
        else:
            requirements.append(requirement)
    from_pip = tuple(requirements)
    for entry in dependencies.conda_packages:
        package = parse_conda_package(entry)
        if package.name in _INSTALLERS:
            continue
        if is_sdk_package(package.name):
            notes.append(_sdk_note(package.name))
            continue
        conda.append(entry)
        if package.is_python_package:
            requirements.append(package.requirement)
        else:
            notes.append(
                f"{_LEFT_OUT} {entry!r} is left out: it is not a Python package. Wheels bring the "
                "libraries they need; if the script needs more than that, run the step in a container image."
            )
    for note in notes:
        _log_once(note, logging.WARNING if is_left_out(note) else logging.INFO)
    spec = PythonEnvironmentSpec(
        dependencies.get_python_version(),
        tuple(requirements),
        tuple(options),
        _conda_spec(dependencies, conda, from_pip, secrets),
    )
    return ResolvedPython(spec, tuple(notes), secrets)


def _conda_spec(
    dependencies: CondaDependencies, packages: list[str], requirements: tuple[str, ...], secrets: UrlSecrets
) -> CondaSpec | None:
    if not packages:
        return None
    return CondaSpec(tuple(dependencies.channel_urls(secrets)), tuple(packages), requirements)


def is_left_out(note: str) -> bool:
    """Return whether a note says that a conda package is left out; by conda's means it is installed."""
    return note.startswith(_LEFT_OUT)


def is_sdk_package(requirement: str) -> bool:
    """Return whether a requirement is a package of Azure ML SDK v1."""
    name = requirement_name(requirement)
    return name == "azureml" or name.startswith("azureml-")


def _behind_sdk_package(requirement: str) -> list[str]:
    extras = re.search(r"\[([^\]]*)\]", requirement)
    return ["pandas"] if extras and "pandas" in extras[1].split(",") else []


def _sdk_note(requirement: str) -> str:
    name = requirement_name(requirement)
    return f"{name} is not installed: mlsteps takes its place. What came along with it must be listed."


def _log_once(note: str, level: int) -> None:
    if note not in _logged:  # the DAG processor sees the same environments every few seconds
        _logged.add(note)
        _log.log(level, note)
