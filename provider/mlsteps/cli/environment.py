"""``mlsteps environment lock``: what an environment's packages are resolved to, and resolving them anew."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from mlsteps.environment import CondaDependencies, Environment, EnvironmentLocks, plan_environment
from mlsteps.environment.locking import minor_version
from mlsteps.exceptions import UserErrorException
from mlsteps.workspace import Workspace


def lock_command(source: str, python: str | None, *, refresh: bool, as_json: bool) -> None:
    """Print the lock of a file's or a registered environment's packages.

    :raises UserErrorException: ``source`` asks for no packages.
    :raises EnvironmentBuildError: they cannot be resolved.
    """
    workspace = Workspace()
    plan = plan_environment(_environment(source, workspace))
    if plan.spec is None:
        raise UserErrorException(f"{source!r} asks for no packages, so there is nothing to lock.")
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    locks = EnvironmentLocks(workspace.record_store(), workspace.config.folder / "environments")
    resolve = locks.refresh if refresh else locks.get
    lock = resolve(plan.spec, python or minor_version(plan.spec), errors.print, plan.secrets)
    if as_json:
        print(json.dumps({**lock.to_plain(), "digest": lock.digest}))
        return
    for line in lock.lines:
        print(line)
    errors.print(f"{lock}, resolved {lock.resolved_at or 'now'}; {lock.digest[:12]}")


def _environment(source: str, workspace: Workspace) -> Environment | CondaDependencies:
    path = Path(source)
    if path.suffix in (".yml", ".yaml"):
        return CondaDependencies(path)
    if path.suffix in (".txt", ".in"):
        return CondaDependencies.from_requirements_file(path)
    return Environment.get(workspace, source)
