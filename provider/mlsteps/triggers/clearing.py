"""Clearing away what a job has on a storage account, where nobody of its task is at work any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlsteps.compute.staged import StagingArea
from mlsteps.data import Datastore
from mlsteps.data.stores.azure_blob import AzureBlobStore

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


def clear_staged(workspace: Workspace, staged: Mapping[str, str]) -> None:
    """Delete a staging area.

    :param staged: Its ``name``, and the ``home`` by which it is known on which account it is.
    """
    for name, described in workspace.config.datastores.items():
        if described.kind == "azure_blob":
            store = Datastore(workspace, name).store
            if isinstance(store, AzureBlobStore) and store.url("") == staged["home"]:
                StagingArea(store, staged["name"]).delete()
                return
