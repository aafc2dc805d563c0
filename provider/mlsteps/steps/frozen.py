"""The code of steps that were published: in the workspace's store, and on this machine once it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.records import layout
from mlsteps.reuse.frozen import FrozenSnapshot, frozen_snapshot
from mlsteps.reuse.snapshot_store import fetch_archive

if TYPE_CHECKING:
    from mlsteps.steps.base import PipelineStep
    from mlsteps.workspace import Workspace


def code_of(step: PipelineStep, workspace: Workspace) -> FrozenSnapshot:
    """The code of a published step that takes source; nothing is fetched until its files are asked for.

    :raises SnapshotException: then, if it is gone.
    """
    code = step.frozen_code
    assert code is not None and code.snapshot is not None
    digest, cache = code.snapshot, workspace.config.folder / "snapshots"
    return frozen_snapshot(
        code, lambda: fetch_archive(digest, workspace.record_store(), layout.SNAPSHOTS, cache)
    )
