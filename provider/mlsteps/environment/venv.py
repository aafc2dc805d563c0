"""``VirtualEnvironments``: virtual environments in one folder, each built once and shared by all processes.

    <root>/<key>/ready.json     written last: without it nothing here counts
    <root>/<key>/<attempt>/     the environment; a new folder each time, as one cannot be moved once it is
    made <root>/<key>/last_used      touched at every use, for a clean-up to go by <root>/locks/<key>
    held while building

The key is the spec's hash with the platform and the interpreter. A builder that is killed leaves no lock (the
kernel releases it) and no ready file; the next one removes what is left and builds in a folder of its own, so
that not even an installer that survived the kill can write into it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mlsteps.environment.conda_build import build_conda, conda_key
from mlsteps.environment.installer import Installer, find_uv, requirements_input, run_installer
from mlsteps.environment.interpreters import Interpreter, find_interpreter
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.locks import exclusive
from mlsteps.environment.machine_settings import installer_variables
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.environment.venv_place import EnvironmentPlace
from mlsteps.exceptions import EnvironmentBuildError

DEFAULT_TIMEOUT = 1800.0

_log = logging.getLogger(__name__)
_KEY_LENGTH = 24  # hex digits; paths in a script's first line are limited to 127 bytes on older systems

OnLine = Callable[[str], None]


class VirtualEnvironments:
    """Builds virtual environments from specs and finds those that were built (no SDK v1 counterpart).

    An environment is never updated: requirements without a version stay what they were when it was built, as
    with SDK v1's images. It holds neither Airflow nor mlsteps.

    Args:
        root: the folder they live in; may be shared by processes, and by machines if its file system has
            ``flock``.
        timeout: seconds that one build may take, and that a process waits for the build of another.
    """

    def __init__(self, root: str | os.PathLike[str], timeout: float = DEFAULT_TIMEOUT) -> None:
        self.root = Path(root).absolute()
        self.timeout = timeout

    def get_or_build(
        self,
        spec: PythonEnvironmentSpec,
        on_line: OnLine | None = None,
        secrets: UrlSecrets | None = None,
        lock: EnvironmentLock | None = None,
    ) -> Path:
        """Return the path of the interpreter of the environment for ``spec``; build it if no process did yet.

        Args:
            spec: what it has to hold.
            on_line: gets the installer's output, and word when another build is waited for; by default the
                log.
            secrets: credentials of the package indexes in ``spec``.
            lock: what ``spec`` was resolved to; without one the installer resolves it.

        Raises:
            EnvironmentBuildError: no such Python here, the installer failed, or it took too long. A process
                that waited for a build which failed fails with it, rather than trying the same again.
        """
        tell = on_line or _log.info
        if lock is not None and lock.conda:
            place = EnvironmentPlace(self.root, conda_key(lock))
            made = partial(build_conda, place, spec, lock, tell, secrets or UrlSecrets(), self.timeout)
            return self._found_or_built(place, spec, tell, made)
        installer = Installer(find_uv())
        if lock is not None:
            spec = lock.locked(spec)
        interpreter = find_interpreter(spec.python, installer.uv)
        place = EnvironmentPlace(self.root, build_key(spec, interpreter))
        build = partial(
            self._build,
            place,
            spec,
            interpreter,
            installer,
            tell,
            secrets or UrlSecrets(),
            lock is not None,
        )
        return self._found_or_built(place, spec, tell, build)

    def variables_of(self, python: Path) -> Mapping[str, str]:
        """Return the environment variables that a script finds set in the environment of ``python``.

        Those that activating it would set, if conda's means made it; none for other interpreters.
        """
        folder = python.parent.parent.parent
        return EnvironmentPlace(self.root, folder.name).variables() if folder.parent == self.root else {}

    def _found_or_built(
        self, place: EnvironmentPlace, spec: PythonEnvironmentSpec, tell: OnLine, build: Callable[[], Path]
    ) -> Path:
        python = place.ready_python() or self._built_once(place, spec, tell, build)
        place.touch()
        return python

    def _built_once(
        self, place: EnvironmentPlace, spec: PythonEnvironmentSpec, tell: OnLine, build: Callable[[], Path]
    ) -> Path:
        def waiting(holder: str, seconds: float) -> None:
            tell(f"Waiting {seconds:.0f} s for the environment {place.key} ({spec}): {holder} builds it.")

        asked_at = time.time()
        try:
            with exclusive(place.lock, self.timeout, waiting) as waited:
                python = place.ready_python()
                if python is not None:
                    return python
                if waited:
                    place.raise_if_failed_since(asked_at)
                place.clear()
                try:
                    return build()
                except EnvironmentBuildError as error:
                    place.mark_failed(str(error))
                    raise
        except TimeoutError as error:
            problem = f"The environment {place.key} ({spec}) is not ready: {error}."
            raise EnvironmentBuildError(problem) from error
        except OSError as error:
            problem = f"The environment {place.key} ({spec}) cannot be made in {self.root}: {error}."
            raise EnvironmentBuildError(problem) from error

    def _build(
        self,
        place: EnvironmentPlace,
        spec: PythonEnvironmentSpec,
        interpreter: Interpreter,
        installer: Installer,
        tell: OnLine,
        secrets: UrlSecrets,
        locked: bool,
    ) -> Path:
        start = time.monotonic()
        folder = place.new_attempt()
        python = folder / "bin" / "python"
        made_with = f"{installer.name}, Python {interpreter.release}"
        tell(f"Building the environment {place.key} ({spec}) with {made_with}.")
        own_index = any(item.startswith("--index-url") for item in spec.options)
        variables = installer_variables(own_index)

        def run(command: list[str], what: str, stdin: str = "", on_line: OnLine = tell) -> None:
            run_installer(
                command,
                what=what,
                stdin=stdin,
                variables=variables,
                folder=place.folder,
                timeout=max(1.0, self.timeout - (time.monotonic() - start)),
                on_line=on_line,
                mask=secrets.mask,
            )

        run(
            installer.create_command(interpreter, folder),
            f"Making an environment of Python {interpreter.release}",
        )
        if spec.requirements:
            command = installer.install_command(python, spec.options, locked)
            given = secrets.reveal_all(requirements_input(spec.requirements, spec.options))
            if not (locked and installer.uv and _from_cache(run, command, given, tell)):
                run(command, f"Installing {spec}", given)
        seconds = time.monotonic() - start
        place.mark_ready(folder, spec, interpreter, installer.name, seconds)
        tell(f"The environment {place.key} is ready after {seconds:.1f} s.")
        return python


def _from_cache(run: Callable[..., None], command: list[str], given: str, tell: OnLine) -> bool:
    """Install versions that are settled from uv's cache alone, if all are there.

    That spares asking the index about each package once more, which resolving has just done.
    """
    heard: list[str] = []  # that some are missing is no news
    try:
        run([*command, "--offline"], "Installing from uv's cache", given, heard.append)
    except EnvironmentBuildError:
        return False
    for line in heard:
        tell(line)
    return True


def build_key(spec: PythonEnvironmentSpec, interpreter: Interpreter) -> str:
    """Return what tells environments on this machine apart: the spec, the interpreter and the platform."""
    parts = [
        spec.spec_hash,
        interpreter.platform,
        interpreter.implementation,
        interpreter.release,
        str(interpreter.path),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_LENGTH]
