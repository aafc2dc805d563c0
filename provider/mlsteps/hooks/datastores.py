"""DatastoreHook: a datastore described by an Airflow connection; and opening those that need one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from mlsteps.datastore_config import BY_CONNECTION, FOLDER, DatastoreConfig, parse_datastore
from mlsteps.exceptions import MlstepsException, UserErrorException, WorkspaceException
from mlsteps.hooks.azure import azure_account, connection_of

if TYPE_CHECKING:
    from mlsteps.data.sql import SqlStore
    from mlsteps.data.stores import Store


class DatastoreHook(BaseHook):
    """Opens the datastore of an Airflow connection of type ``mlsteps_datastore``.

    The connection's extra says which: ``type`` and the settings that ``workspace.yaml`` has for it, such as
    ``container``. Credentials are those of the connection that ``conn_id`` names; without one, those of this
    connection itself, in the fields that a ``wasb`` connection has.
    """

    conn_name_attr = "mlsteps_datastore_conn_id"
    default_conn_name = "mlsteps_datastore_default"
    conn_type = "mlsteps_datastore"
    hook_name = "mlsteps datastore"

    def __init__(self, mlsteps_datastore_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlsteps_datastore_conn_id = mlsteps_datastore_conn_id

    def get_conn(self) -> Store:
        """The storage.

        :raises WorkspaceException: there is no such connection, or it describes no datastore.
        """
        return open_store(config_of_connection(self.mlsteps_datastore_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Whether the datastore can be listed; the button of the connection form."""
        try:
            config = config_of_connection(self.mlsteps_datastore_conn_id)
            if config.is_sql:
                return open_sql(config).test()
            store = open_store(config)
            list(islice(store.list(), 1))
        except (OSError, MlstepsException) as error:
            return False, str(error)
        return True, f"{store.url('')} can be listed"


def config_of_connection(conn_id: str) -> DatastoreConfig:
    """What a connection of type ``mlsteps_datastore`` describes.

    :raises WorkspaceException: there is none, or what it says is no datastore.
    """
    connection, source = connection_of(conn_id), f"Airflow connection {conn_id!r}"
    if connection.conn_type != DatastoreHook.conn_type:
        raise WorkspaceException(
            f"{source} is of type {connection.conn_type!r}, which is no datastore. Give the datastore a "
            f"'type', such as azure_blob, or name a connection of type {DatastoreHook.conn_type}."
        )
    known = ("type", "container", "share", "prefix", "path", "url", "conn_id")
    flags = ("create_if_not_exists", "public_read")
    extra = connection.extra_dejson
    settings = {name: extra[name] for name in (*known, *flags) if extra.get(name) not in (None, "")}
    settings.setdefault("type", "azure_blob" if "container" in settings else FOLDER)
    if settings["type"] != FOLDER:
        settings.setdefault("conn_id", conn_id)
    if settings["type"] == BY_CONNECTION:
        raise WorkspaceException(f"{source}: a datastore cannot be of type {BY_CONNECTION!r}.")
    from mlsteps.hooks.workspace import embedded_folder

    return parse_datastore(conn_id, settings, source, embedded_folder())


def open_store(config: DatastoreConfig) -> Store:
    """The storage that a configuration describes.

    :raises WorkspaceException: it holds tables, or needs a connection that there is not.
    """
    opener = _OPENERS.get(config.kind)
    if opener is None:
        raise WorkspaceException(f"A datastore of type {config.kind} holds tables, and no files.")
    return opener(config.settings)


def open_sql(config: DatastoreConfig) -> SqlStore:
    """The database that a configuration describes.

    :raises WorkspaceException: it holds files, or needs a connection that there is not.
    """
    if not config.is_sql:
        raise WorkspaceException(f"A datastore of type {config.kind} holds files, and no tables.")
    from mlsteps.hooks.sql import open_sql_store

    return open_sql_store(config.settings["conn_id"], config.kind)


def _open_folder(settings: Mapping[str, Any]) -> Store:
    from mlsteps.data.stores import FolderStore

    return FolderStore(settings["path"])


def _open_azure_blob(settings: Mapping[str, Any]) -> Store:
    from mlsteps.data.stores.azure_blob import AzureBlobStore

    account = azure_account(settings["conn_id"], settings["public_read"])
    wanted, found = settings["account_name"], account.client.account_name
    if wanted and wanted != found:
        raise WorkspaceException(
            f"{account.label} opens storage account {found!r}, and the datastore is on {wanted!r}. Give the "
            f"datastore the conn_id of a connection to its own account."
        )
    return AzureBlobStore(
        account,
        settings["container"],
        settings["prefix"],
        create_if_not_exists=settings["create_if_not_exists"],
    )


def _open_azure_file(settings: Mapping[str, Any]) -> Store:
    from mlsteps.hooks.azure_file import open_azure_file

    return open_azure_file(
        settings["conn_id"], settings["share"], settings["prefix"], settings["account_name"]
    )


def _open_object_storage(settings: Mapping[str, Any]) -> Store:
    from mlsteps.hooks.object_storage import open_object_storage

    return open_object_storage(settings["url"], settings["conn_id"] or None)


_OPENERS: Mapping[str, Callable[[Mapping[str, Any]], Store]] = {
    "folder": _open_folder,
    "azure_blob": _open_azure_blob,
    "azure_file": _open_azure_file,
    "object_storage": _open_object_storage,
}


def refuse_secrets(name: str, config: DatastoreConfig, secrets: Mapping[str, str]) -> None:
    """Whether a connection holds what was given in code; what was given itself is not used.

    :raises UserErrorException: there is no such connection; the text says how to add it.
    """
    conn_id = str(config.settings["conn_id"])
    try:
        connection_of(conn_id)
    except WorkspaceException:
        what = " and ".join(sorted(secrets))
        raise UserErrorException(
            f"Datastore {name!r}: {what} was given in code, and mlsteps keeps no secret in a file. Put it "
            f"into an Airflow connection with the id {conn_id!r}, once, and leave it out here: "
            f"{_HOW_TO_ADD.get(config.kind, _HOW_TO_ADD_SQL).format(conn_id=conn_id)}"
        ) from None


_ADD = "airflow connections add {conn_id} "
_HOW_TO_ADD_SQL = _ADD + "--conn-uri ..."
_HOW_TO_ADD = dict.fromkeys(
    ("azure_blob", "azure_file"), _ADD + "--conn-type wasb --conn-login ACCOUNT --conn-password KEY"
)
