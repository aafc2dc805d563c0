"""From a workspace's locator, as references carry it, back to the workspace."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from mlsteps.data.datastore import DatastoreOwner


def open_workspace(locator: str) -> DatastoreOwner:
    """The workspace that ``locator`` names.

    By name and not by import: workspaces know compute targets and connections, which data must not depend on,
    yet a reference that comes out of XCom has nobody at hand who could give it its workspace.
    """
    return cast("DatastoreOwner", import_module("mlsteps.workspace").Workspace.from_locator(locator))
