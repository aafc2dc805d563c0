"""``EnvironmentLocks``: one lock for a spec and Python version, the same for all workers of a workspace.

<store>/mlsteps/environments/locks/<spec>-py<minor>.json   made by whoever resolves first
<store>/mlsteps/environments/locks/<conda spec>-py<minor>-<platform>.json   the same by conda's means
<folder>/resolved/<spec>-py<minor>.json                    a copy, for when the store cannot be reached
<folder>/locks/resolve-<spec>-py<minor>                    held while this machine resolves
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.data.stores import FolderStore
from mlsteps.environment.conda_lock import conda_platform
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.locking import RESOLVE_TIMEOUT, minor_version
from mlsteps.environment.locks import exclusive
from mlsteps.environment.plan import EnvironmentPlan
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.resolving import resolve
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import EnvironmentBuildError, MlstepsException
from mlsteps.records.store import dump_json, read_record

if TYPE_CHECKING:
    from mlsteps.records import RecordStore

FORMAT = 1
FOLDER = "mlsteps/environments/locks"

OnLine = Callable[[str], None]

_log = logging.getLogger(__name__)


class EnvironmentLocks:
    """Finds the lock of a spec, and resolves it where there is none yet (no SDK v1 counterpart).

    A lock stays as it is until it is refreshed: requirements without a version mean the same on every worker
    and in every run, and a new release of a package is no change by itself. An object of this class gives the
    same answer as long as it lives, so that all steps that are planned together see one lock.

    Args:
        store: the workspace's record store.
        folder: on this machine, for copies; the one that environments are kept in.
        timeout: seconds that one resolution may take.
    """

    def __init__(
        self, store: RecordStore, folder: str | os.PathLike[str], timeout: float = RESOLVE_TIMEOUT
    ) -> None:
        self.store = store
        self._folder = Path(folder).absolute()
        self._copies = FolderStore(self._folder / "resolved")
        self._timeout = timeout
        self._known: dict[str, EnvironmentLock] = {}

    def find(self, spec: PythonEnvironmentSpec, python: str) -> EnvironmentLock | None:
        """Return the lock of ``spec`` for Python ``python`` if there is one; one small read or two."""
        if not spec.requirements:
            return EnvironmentLock(python, (), spec.options)
        # Conda's first: the other may be made later, for somebody who asks for the same without a channel.
        names = _names(spec, python)
        known = next((self._known[name] for name in names if name in self._known), None)
        if known is not None:
            return known
        away: Exception | None = None
        for name in names:
            try:
                lock = read_record(self.store, f"{FOLDER}/{name}", FORMAT, EnvironmentLock.from_plain)
            except (MlstepsException, OSError) as error:
                away, lock = error, self._copy(name)
                if lock is not None:
                    _log.warning("The lock of %s is taken from this machine's copy: %s", spec, error)
                    return lock
            if lock is not None:
                self._known[name] = lock
                if lock != self._copy(name):
                    self._keep_copy(name, lock)
                return lock
        if away is not None:
            raise away
        return None

    def get(
        self,
        spec: PythonEnvironmentSpec,
        python: str,
        on_line: OnLine | None = None,
        secrets: UrlSecrets | None = None,
    ) -> EnvironmentLock:
        """Return the lock of ``spec`` for Python ``python``; resolve it if nobody did yet.

        Args:
            spec: what is asked for.
            python: a minor version, such as ``3.11``.
            on_line: gets progress; by default the log.
            secrets: credentials of the package indexes in ``spec``.

        Raises:
            EnvironmentBuildError: it cannot be resolved here; the text says why.
        """
        return self.find(spec, python) or self._resolved_once(spec, python, on_line, secrets)

    def refresh(
        self,
        spec: PythonEnvironmentSpec,
        python: str,
        on_line: OnLine | None = None,
        secrets: UrlSecrets | None = None,
    ) -> EnvironmentLock:
        """Resolve ``spec`` anew, for all workers from now on, and return the lock.

        Where that gives the same packages the lock stays the one it was.

        Raises:
            EnvironmentBuildError: it cannot be resolved here; the lock stays.
        """
        lock = resolve(spec, python, on_line or _log.info, secrets or UrlSecrets(), self._timeout)
        known = self.find(spec, python)
        if not spec.requirements:
            return lock
        # the same conda packages may be at other URLs now
        if known is not None and (known.digest, known.conda) == (lock.digest, lock.conda):
            return known
        names = {_name_of(lock, spec, python)}
        if spec.conda and _conda_name(spec, python) in self._known:  # which is looked at first
            names.add(_conda_name(spec, python))
        for name in sorted(names):
            self.store.write(f"{FOLDER}/{name}", _dump(lock))
            self._keep_copy(name, lock)
        return lock

    def _resolved_once(
        self, spec: PythonEnvironmentSpec, python: str, on_line: OnLine | None, secrets: UrlSecrets | None
    ) -> EnvironmentLock:
        tell, name = on_line or _log.info, _name(spec, python)

        def waiting(holder: str, seconds: float) -> None:
            tell(f"Waiting {seconds:.0f} s for {spec} to be resolved: {holder} does it.")

        try:
            with exclusive(self._folder / "locks" / f"resolve-{name}", self._timeout, waiting):
                known = self.find(spec, python)
                if known is not None:
                    return known
                lock = resolve(spec, python, tell, secrets or UrlSecrets(), self._timeout)
                name = _name_of(lock, spec, python)
                if not self.store.create(f"{FOLDER}/{name}", _dump(lock)):
                    theirs = self.find(spec, python)  # another machine was faster; all use what it found
                    lock = theirs if theirs is not None else lock
                self._keep_copy(name, lock)
                return lock
        except TimeoutError as error:
            raise EnvironmentBuildError(f"The packages of {spec} are not resolved: {error}.") from error

    def _copy(self, name: str) -> EnvironmentLock | None:
        try:
            return read_record(self._copies, name, FORMAT, EnvironmentLock.from_plain)
        except (MlstepsException, OSError):
            return None

    def _keep_copy(self, name: str, lock: EnvironmentLock) -> None:
        self._known[name] = lock
        try:
            self._copies.write(name, _dump(lock), durable=False)
        except OSError as error:  # a saving; without it nothing is lost while the store answers
            _log.debug("The lock %s cannot be kept on this machine: %s", name, error)


def lock_for(
    plan: EnvironmentPlan,
    locks: EnvironmentLocks | None,
    on_line: OnLine | None = None,
    image_python: str | None = None,
) -> EnvironmentLock | None:
    """Return the lock of the packages that ``plan`` asks for; ``None`` if it asks for none.

    Args:
        plan: what a step runs in.
        locks: where they are kept; ``None`` leaves resolving to the installer.
        on_line: gets progress; by default the log.
        image_python: the minor version of Python in the image, where a container runs the step, or on the
            machine elsewhere that does. Conda's means make environments on this machine only.

    Raises:
        EnvironmentBuildError: it was not resolved before and cannot be resolved here, or no Python here is
            in the range that it asks for.
    """
    if plan.spec is None or locks is None:
        return None
    spec = plan.spec if image_python is None else replace(plan.spec, conda=None)
    return locks.get(spec, minor_version(plan.spec, image_python), on_line, plan.secrets)


def _name(spec: PythonEnvironmentSpec, python: str) -> str:
    # what the spec says of Python is settled, so that "3.11" and "the worker's own 3.11" share one lock
    return f"{replace(spec, python=None).spec_hash[:32]}-py{python}.json"


def _conda_name(spec: PythonEnvironmentSpec, python: str) -> str:
    content = [_name(spec, python), spec.conda.spec_hash if spec.conda else ""]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return f"{digest[:32]}-py{python}-{conda_platform()}.json"


def _names(spec: PythonEnvironmentSpec, python: str) -> list[str]:
    """Where the lock of ``spec`` may lie, in the order that counts."""
    return [*([_conda_name(spec, python)] if spec.conda else []), _name(spec, python)]


def _name_of(lock: EnvironmentLock, spec: PythonEnvironmentSpec, python: str) -> str:
    return _conda_name(spec, python) if lock.conda else _name(spec, python)


def _dump(lock: EnvironmentLock) -> bytes:
    return dump_json({"version": FORMAT, **lock.to_plain()})
