"""Makes the environment of a lock with conda packages, in a place of ``VirtualEnvironments``."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from mlsteps.environment.conda_means import install_conda
from mlsteps.environment.installer import Installer, find_uv, requirements_input, run_installer
from mlsteps.environment.interpreters import probe
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.machine_settings import installer_variables
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.environment.venv_place import EnvironmentPlace
from mlsteps.exceptions import EnvironmentBuildError


def build_conda(
    place: EnvironmentPlace,
    spec: PythonEnvironmentSpec,
    lock: EnvironmentLock,
    tell: Callable[[str], None],
    secrets: UrlSecrets,
    timeout: float,
) -> Path:
    """Make it and return its interpreter; only with the place's lock held.

    Args:
        place: where it stays.
        spec: what was asked for.
        lock: what that was solved to.
        tell: gets progress.
        secrets: credentials of channels and package indexes.
        timeout: seconds that it may take.

    Raises:
        EnvironmentBuildError: a package could not be fetched or installed, or there is no Python in it.
    """
    start = time.monotonic()
    folder = place.new_attempt()
    tell(f"Making the environment {place.key} of {lock}.")
    channels = spec.conda.channels if spec.conda else ()
    variables = install_conda(lock, folder, channels, tell, secrets, timeout)
    python = folder / "bin" / "python"
    interpreter = probe(python)
    if interpreter is None:
        raise EnvironmentBuildError(
            f"The environment {place.key} of {lock} has no Python that runs: {_python_of(lock)}."
        )
    if lock.packages:
        installer = Installer(find_uv())
        run_installer(
            installer.install_command(python, lock.options, locked=True, whole=True),
            what=f"Installing {len(lock.packages)} pip packages into the environment {place.key}",
            stdin=secrets.reveal_all(requirements_input(lock.packages, lock.options)),
            variables=installer_variables(any(item.startswith("--index-url") for item in lock.options)),
            folder=place.folder,
            timeout=max(1.0, timeout - (time.monotonic() - start)),
            on_line=tell,
            mask=secrets.mask,
        )
    seconds = time.monotonic() - start
    place.mark_ready(folder, lock.locked(spec), interpreter, lock.resolver, seconds, variables)
    tell(f"The environment {place.key} is ready after {seconds:.1f} s.")
    return python


def conda_key(lock: EnvironmentLock) -> str:
    """Return what tells such environments on this machine apart; a lock is for one platform."""
    return hashlib.sha256(f"conda {lock.digest}".encode()).hexdigest()[:24]


def _python_of(lock: EnvironmentLock) -> str:
    found = next((package for package in lock.conda if package.name == "python"), None)
    return str(found) if found else "none is in the lock"
