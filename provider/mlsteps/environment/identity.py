"""What an environment is for the results of a script: part of the key that decides about reuse."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlsteps.environment.build_context import context_digest
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.plan import EnvironmentKind, EnvironmentPlan

# Our own version changes nothing about a script's result; how a key is made has a version of its own.
_OURSELVES = "airflow-provider-mlsteps"
_INSTALLED = re.compile(r"(?P<name>\w.*?)-(?P<version>[^-]+)(?:-py[0-9.]+)?\.(?:dist-info|egg-info)")
_PROBE = "import json, sys; print(json.dumps([sys.version_info[:2], sys.path]))"
_PROBE_SECONDS = 30


def environment_identity(
    plan: EnvironmentPlan, lock: EnvironmentLock | None = None, image_digest: str | None = None
) -> Mapping[str, Any]:
    """The parts of an environment that can change a result, as plain JSON.

    Of packages what they were resolved to, and the minor version of Python. Whether a virtual environment
    holds them, or an image that was made for them, does not count. Of an image that is named its digest; of
    an interpreter that stands on a machine its minor version and the packages that are installed for it.

    Args:
        plan: what is asked for.
        lock: what the plan's packages were resolved to. Without it they count as they were asked for.
        image_digest: of the plan's image. Without it the image counts by its name.
    """
    identity: dict[str, Any] = {}
    if plan.kind is not EnvironmentKind.VIRTUALENV:
        identity["kind"] = plan.kind.value
    if plan.kind is EnvironmentKind.WORKER:
        identity |= _of_interpreter(_minor(sys.version_info), sys.path)
    elif plan.kind is EnvironmentKind.INTERPRETER:
        identity |= _of_named_interpreter(str(plan.interpreter))
    if plan.image or plan.dockerfile:
        identity |= {"image": image_digest or plan.image, "dockerfile": plan.dockerfile}
    elif plan.build_context is not None:
        context = plan.build_context
        identity |= {"build_context": context_digest(context), "dockerfile": context.dockerfile_path}
    if plan.spec is None:
        return identity
    if lock is not None:
        options = {"options": list(lock.options)} if lock.options else {}
        return {**identity, "python": lock.python, "packages": lock.versions, **options}
    identity |= plan.spec.to_plain()
    if plan.kind is EnvironmentKind.VIRTUALENV and plan.spec.python is None:
        identity["python"] = _minor(sys.version_info)
    return identity


def installed_packages(path: Iterable[str]) -> dict[str, str]:
    """Versions of the packages in the folders of a module search path, by normalised name.

    Read off the names of their metadata folders, because opening hundreds of files would cost every task a
    fifth of a second.
    """
    return packages_listed(_names(folder) for folder in path)


def packages_listed(folders: Iterable[Iterable[str]]) -> dict[str, str]:
    """As ``installed_packages``, of folders that somebody else listed, in the order of the search path."""
    found: dict[str, str] = {}
    for names in folders:
        for name in sorted(names):
            match = _INSTALLED.fullmatch(name)
            if match:
                package = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(package, match["version"])  # the first on the path is what is imported
    found.pop(_OURSELVES, None)
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


def _of_interpreter(version: str, path: Iterable[str]) -> dict[str, Any]:
    # A script does not see the folder that Airflow or pytest was started from, which may come first.
    libraries = [folder for folder in path if os.path.basename(folder) in ("site-packages", "dist-packages")]
    return {"python": version, "packages": installed_packages(libraries)}


def _of_named_interpreter(interpreter: str) -> dict[str, Any]:
    """The same of an interpreter that has to be asked; its name alone where it cannot be."""
    answer = _answer_of(interpreter)
    return _of_interpreter(*answer) if answer else {"interpreter": interpreter}


@functools.cache
def _answer_of(interpreter: str) -> tuple[str, tuple[str, ...]] | None:
    """The minor version and the module search path; what lies there may change while this process runs."""
    try:
        answer = subprocess.run(
            [os.path.expanduser(interpreter), "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        version, path = json.loads(answer.stdout)
        return _minor(version), tuple(map(str, path))
    except (OSError, TypeError, ValueError, subprocess.SubprocessError):
        return None


def _minor(version: Sequence[Any]) -> str:
    return ".".join(map(str, version[:2]))
