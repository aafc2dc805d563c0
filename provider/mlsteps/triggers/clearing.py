"""Clearing away what a job has elsewhere, where nobody of its task is at work any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlsteps.compute.staged import StagingArea
from mlsteps.data import Datastore
from mlsteps.data.stores.azure_blob import AzureBlobStore

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


def clear_staged(workspace: Workspace, staged: Mapping[str, str]) -> None:
    """Delete a staging area, or secrets.

    :param staged: The area's ``name``, and the ``home`` by which it is known on which account it is; or what
        ``Signatures.staged`` of a run on Databricks has.
    """
    if "secrets" in staged:
        from mlsteps.compute.databricks.api import Databricks
        from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
        from mlsteps.compute.databricks.signatures import delete_secrets

        target = DatabricksCompute(databricks_conn_id=staged["databricks_conn_id"])
        delete_secrets(Databricks(target), staged)
        return
    area = staging_area(workspace, staged)
    if area is not None:
        area.delete()


def staging_area(workspace: Workspace, staged: Mapping[str, str]) -> StagingArea | None:
    """The staging area that is meant; None if the workspace has no store on its account any more."""
    for name, described in workspace.config.datastores.items():
        if described.kind == "azure_blob":
            store = Datastore(workspace, name).store
            if isinstance(store, AzureBlobStore) and store.url("") == staged["home"]:
                return StagingArea(store, staged["name"])
    return None
