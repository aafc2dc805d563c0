"""Where a worker keeps what it need not find out twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.environment import EnvironmentLocks
from mlsteps.reuse.digest_cache import DigestCache

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


def digest_cache(workspace: Workspace) -> DigestCache:
    """Digests of files on this machine, by their status."""
    return DigestCache(workspace.config.folder / "digests")


def environment_locks(workspace: Workspace) -> EnvironmentLocks:
    """What the packages of environments were resolved to, for all workers of the workspace."""
    return EnvironmentLocks(workspace.record_store(), workspace.config.folder / "environments")
