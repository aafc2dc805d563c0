"""WorkspaceHook: a workspace described by an Airflow connection, or by Airflow's configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from mlsteps.compat import AirflowNotFoundException, conf
from mlsteps.exceptions import MlstepsException, WorkspaceException
from mlsteps.workspace_config import WorkspaceConfig, make_config

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from mlsteps.workspace import Workspace


class WorkspaceHook(BaseHook):
    """Opens the workspace of an Airflow connection of type ``mlsteps``.

    The connection's fields: ``folder`` (root of the workspace), ``default_datastore``,
    ``default_compute_target``; its extra JSON may also hold ``datastores`` and ``compute_targets`` as
    ``workspace.yaml`` has them.
    """

    conn_name_attr = "mlsteps_conn_id"
    default_conn_name = "mlsteps_default"
    conn_type = "mlsteps"
    hook_name = "mlsteps workspace"

    def __init__(self, mlsteps_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlsteps_conn_id = mlsteps_conn_id

    def get_conn(self) -> Workspace:
        """The workspace."""
        from mlsteps.workspace import Workspace

        return Workspace(conn_id=self.mlsteps_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the workspace's records can be written and read; the button of the connection form."""
        from uuid import uuid4

        probe = f"mlsteps/connection-test-{uuid4().hex}"
        try:
            store = self.get_conn().record_store()
            store.create(probe, b"")
            store.read(probe)
            store.delete(probe)
        except (OSError, MlstepsException) as error:
            return False, str(error)
        return True, f"Records can be kept in {store.url('')}"


def read_config(conn_id: str | None) -> WorkspaceConfig:
    """The configuration of a connection; None is Airflow's default workspace.

    :raises WorkspaceException: an explicitly named connection does not exist or is malformed.
    """
    wanted = conn_id or conf.get("mlsteps", "conn_id", fallback=WorkspaceHook.default_conn_name)
    connection = _find_connection(wanted)
    if connection is not None:
        return _from_connection(wanted, connection)
    if conn_id:
        raise WorkspaceException(
            f"Airflow has no connection {conn_id!r}. Add one of type mlsteps, or leave conn_id out "
            f"to work in a folder below AIRFLOW_HOME."
        )
    home = embedded_folder()
    return make_config(
        {"folder": str(home)}, source="the embedded workspace", base=home, default_name="embedded"
    )


def _find_connection(conn_id: str) -> Connection | None:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _from_connection(conn_id: str, connection: Connection) -> WorkspaceConfig:
    source = f"Airflow connection {conn_id!r}"
    if connection.conn_type != WorkspaceHook.conn_type:
        raise WorkspaceException(
            f"{source}: its type is {connection.conn_type!r}, not {WorkspaceHook.conn_type!r}."
        )
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError as error:
        raise WorkspaceException(f"{source}: its extra is not JSON.") from error
    if not isinstance(extra, dict):
        raise WorkspaceException(f"{source}: its extra must be a JSON object.")
    settings = {key: value for key, value in extra.items() if value not in (None, "")}
    home = embedded_folder()
    settings.setdefault("folder", str(home))
    return make_config(settings, source=source, base=home, default_name=conn_id)


def embedded_folder() -> Path:
    """Root of the workspace that needs no configuration."""
    configured = conf.get("mlsteps", "home", fallback="")
    if configured:
        return Path(os.path.expandvars(configured)).expanduser().absolute()
    home = os.environ.get("AIRFLOW_HOME") or "~/airflow"
    return Path(home).expanduser().absolute() / "mlsteps"
