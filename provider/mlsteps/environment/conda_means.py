"""Solves and installs conda packages: runs ``conda_program`` and takes credentials out of its answers."""

from __future__ import annotations

import datetime
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlsteps.environment import conda_program
from mlsteps.environment.conda_channels import ChannelAccess, channel_access
from mlsteps.environment.conda_lock import CondaPackageLock, conda_platform
from mlsteps.environment.conda_names import pip_name
from mlsteps.environment.conda_spec import CondaSpec
from mlsteps.environment.installer import run_installer
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.locking import resolve as resolve_on_index
from mlsteps.environment.machine_settings import installer_variables
from mlsteps.environment.own_program import folder_of_library, program_command
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.requirements import requirement_name
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import EnvironmentBuildError

EXTRA = "pip install 'airflow-provider-mlsteps[conda]'"
"""What makes conda's means available."""

_LIBRARY = "rattler"

OnLine = Callable[[str], None]


def has_conda_means() -> bool:
    """Return whether the extra ``conda`` is installed."""
    return importlib.util.find_spec(_LIBRARY) is not None


def solve_conda(
    spec: PythonEnvironmentSpec, python: str, on_line: OnLine, secrets: UrlSecrets, timeout: float
) -> EnvironmentLock:
    """Return the conda packages that ``spec`` means now on this platform, and the pip packages beside them.

    Args:
        spec: what is asked for; it has a conda part.
        python: the minor version, which comes from the channels, too.
        on_line: gets progress.
        secrets: credentials of channels and package indexes.
        timeout: seconds that it may take.

    Raises:
        EnvironmentBuildError: a package is in none of the channels, they contradict each other, or a channel
            cannot be read.
    """
    wanted = spec.conda
    assert wanted is not None
    start = time.monotonic()
    access = channel_access(_channels_of(wanted), secrets)
    where = f"{', '.join(access.shown)} ({conda_platform()})"
    on_line(f"Solving {wanted} for Python {python} with the channels {where}.")
    request = {
        "do": "solve",
        "channels": list(access.urls),
        "strict": access.strict,
        "packages": [f"python {python}.*", *wanted.packages],
    }
    with tempfile.TemporaryDirectory(prefix="mlsteps-conda-") as folder:
        what = f"Solving {wanted} for Python {python}"
        answer = _answer_of(request, what, Path(folder), timeout, on_line, access)
    if answer.get("missing"):
        names = ", ".join(map(repr, answer["missing"]))
        raise EnvironmentBuildError(
            f"{what}: {names} is in none of the channels {where}, not in the version that is asked for. Name "
            "a channel that has it, or another version."
        )
    _raise_error_in(answer, what, access)
    packages = [_without_credentials(CondaPackageLock.from_plain(item)) for item in answer["packages"]]
    undigested = [package.name for package in packages if not (package.sha256 or package.md5)]
    if undigested:
        raise EnvironmentBuildError(f"{what}: its channel gives no digest for {', '.join(undigested)}.")
    conda = tuple(sorted(packages, key=lambda package: package.name))
    rest = max(1.0, timeout - (time.monotonic() - start))
    beside = _resolve_beside(spec, wanted, conda, python, on_line, secrets, rest)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    lock = EnvironmentLock(python, beside, spec.options, now, _LIBRARY, conda, conda_platform())
    on_line(f"Solved to {lock} in {time.monotonic() - start:.1f} s.")
    return lock


def install_conda(
    lock: EnvironmentLock,
    prefix: Path,
    channels: Sequence[str],
    on_line: OnLine,
    secrets: UrlSecrets,
    timeout: float,
) -> Mapping[str, str]:
    """Install the conda packages of ``lock`` into the folder ``prefix``.

    Args:
        lock: what to install; made for this platform.
        prefix: where the environment will stay.
        channels: of the specification, which credentials may belong to.
        on_line: gets progress.
        secrets: credentials of the channels.
        timeout: seconds that it may take.

    Returns:
        The environment variables that activating it would set.

    Raises:
        EnvironmentBuildError: the extra ``conda`` is not installed, a package cannot be fetched, or is not
            the one that the lock names.
    """
    what = f"Installing {lock}"
    if not has_conda_means():
        raise EnvironmentBuildError(
            f"{what}: this machine needs the extra 'conda', as the one that solved it has: {EXTRA}"
        )
    if lock.platform != conda_platform():
        raise EnvironmentBuildError(f"{what}: this machine is {conda_platform()}.")
    access = channel_access(channels, secrets)
    packages = [
        {**_everything(package), "url": access.secrets.reveal_below(package.url)} for package in lock.conda
    ]
    request = {"do": "install", "packages": packages, "prefix": str(prefix)}
    with tempfile.TemporaryDirectory(prefix="mlsteps-conda-") as folder:
        answer = _answer_of(request, what, Path(folder), timeout, on_line, access)
    _raise_error_in(answer, what, access)
    return {**answer["variables"], "CONDA_PREFIX": str(prefix)}


def _answer_of(
    request: Mapping[str, Any],
    what: str,
    folder: Path,
    timeout: float,
    on_line: OnLine,
    access: ChannelAccess,
) -> dict[str, Any]:
    file = folder / "answer.json"
    run_installer(
        program_command(conda_program.__file__, _library_folder()),
        what=what,
        stdin=json.dumps({**request, "answer": str(file)}),
        variables=installer_variables(own_index=False),
        folder=folder,
        timeout=timeout,
        on_line=on_line,
        mask=access.secrets.mask,
    )
    answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return answer


def _library_folder() -> str:
    found = folder_of_library(_LIBRARY)
    if found is None:
        raise EnvironmentBuildError(f"Conda's means are not installed on this machine: {EXTRA}")
    return found


def _raise_error_in(answer: Mapping[str, Any], what: str, access: ChannelAccess) -> None:
    if "error" not in answer:
        return
    problem = access.secrets.mask(str(answer["error"]))
    advice = ""
    if "401 Unauthorized" in problem or "403 Forbidden" in problem:
        advice = (
            "\nCredentials of a channel are taken from .condarc, a keychain, or the file that "
            "RATTLER_AUTH_FILE names."
        )
    raise EnvironmentBuildError(f"{what} failed: {problem}{advice}")


def _channels_of(spec: CondaSpec) -> list[str]:
    """Those of the specification, and those that single packages name (``channel::package``)."""
    named = [item.partition("::")[0] for item in spec.packages if "::" in item]
    return list(dict.fromkeys([*spec.channels, *named]))


def _without_credentials(package: CondaPackageLock) -> CondaPackageLock:
    return replace(package, url=UrlSecrets().hide_channel(package.url))


def _everything(package: CondaPackageLock) -> dict[str, Any]:
    defaults: dict[str, Any] = {"sha256": "", "md5": "", "noarch": None, "depends": [], "site_packages": None}
    return {**defaults, **package.to_plain()}


def _resolve_beside(
    spec: PythonEnvironmentSpec,
    wanted: CondaSpec,
    conda: Sequence[CondaPackageLock],
    python: str,
    on_line: OnLine,
    secrets: UrlSecrets,
    timeout: float,
) -> tuple[str, ...]:
    """The pip packages: what they need of the conda packages is as it is there, and not installed twice.

    A package that is listed under ``pip:`` itself in another version comes from the index.
    """
    if not wanted.requirements:
        return ()
    there = {
        requirement_name(pip_name(item.name)): item.version
        for item in conda
        if item.is_python_package and _is_pip_version(item.version)
    }
    for requirement in wanted.requirements:
        if not _allows(requirement, there.get(requirement_name(requirement), "")):
            there.pop(requirement_name(requirement), None)
    lock = resolve_on_index(
        PythonEnvironmentSpec(python, wanted.requirements, spec.options),
        python,
        on_line,
        secrets,
        timeout,
        [f"{name}=={version}" for name, version in there.items()],
    )
    return tuple(line for line in lock.packages if requirement_name(line) not in there)


def _allows(requirement: str, version: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement.partition(" --hash=")[0])
    except InvalidRequirement:  # a bare URL
        return False
    return bool(version) and parsed.url is None and parsed.specifier.contains(version, prereleases=True)


def _is_pip_version(version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:
        return False
    return True
