"""``Datastore.register_...`` of SDK v1: a place gets a name that all who use the workspace find.

Credentials are an Airflow connection's, whose id is the datastore's name unless ``conn_id`` says another. One
that is given in code, as SDK v1 wanted it, is never kept: where the connection is there it is not needed, and
elsewhere it is an error that says how to add the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datastore import Datastore


class DatastoreRegistry(Protocol):
    """What registering needs of a workspace."""

    def register_datastore(
        self, name: str, settings: Mapping[str, Any], secrets: Mapping[str, str], *, overwrite: bool = False
    ) -> Datastore:
        """Give it a name."""


class RegisteringMethods:
    """The part of ``Datastore`` that registers others.

    All methods take the arguments of SDK v1. Those about Azure ML itself mean nothing here
    (``subscription_id``, ``resource_group``, ``grant_workspace_access``, ``skip_validation``,
    ``blob_cache_timeout``); ``protocol``, ``endpoint``, ``resource_url`` and ``authority_url`` are the
    connection's. All of them raise UserErrorException for a secret that no connection holds, and
    WorkspaceException for a name that stands for something else, unless ``overwrite``.
    """

    @staticmethod
    def register_azure_blob_container(
        workspace: DatastoreRegistry,
        datastore_name: str,
        container_name: str,
        account_name: str | None = None,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        blob_cache_timeout: int | None = None,
        grant_workspace_access: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        *,
        conn_id: str | None = None,
        prefix: str | None = None,
    ) -> Datastore:
        """A container of an Azure storage account, or the folder ``prefix`` of one."""
        return workspace.register_datastore(
            datastore_name,
            {
                "type": "azure_blob",
                "container": container_name,
                "account_name": account_name,
                "create_if_not_exists": create_if_not_exists,
                "conn_id": conn_id,
                "prefix": prefix,
            },
            _given(sas_token=sas_token, account_key=account_key),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_data_lake_gen2(
        workspace: DatastoreRegistry,
        datastore_name: str,
        filesystem: str,
        account_name: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
        *,
        conn_id: str | None = None,
        prefix: str | None = None,
    ) -> Datastore:
        """A file system of an account with a hierarchical namespace, through its blob endpoint."""
        return workspace.register_datastore(
            datastore_name,
            {
                "type": "azure_blob",
                "container": filesystem,
                "account_name": account_name,
                "conn_id": conn_id,
                "prefix": prefix,
            },
            _given(client_secret=client_secret),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_file_share(
        workspace: DatastoreRegistry,
        datastore_name: str,
        file_share_name: str,
        account_name: str | None = None,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        *,
        conn_id: str | None = None,
        prefix: str | None = None,
    ) -> Datastore:
        """A file share of an Azure storage account. Needs the extra ``azure-files``."""
        return workspace.register_datastore(
            datastore_name,
            {
                "type": "azure_file",
                "share": file_share_name,
                "account_name": account_name,
                "conn_id": conn_id,
                "prefix": prefix,
            },
            _given(sas_token=sas_token, account_key=account_key),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_sql_database(
        workspace: DatastoreRegistry,
        datastore_name: str,
        server_name: str | None = None,
        database_name: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        username: str | None = None,
        password: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
        *,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> Datastore:
        """A database of Azure SQL. Server, database and user are those of the connection."""
        return workspace.register_datastore(
            datastore_name,
            {"type": "azure_sql", "conn_id": conn_id},
            _given(client_secret=client_secret, password=password),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_postgre_sql(
        workspace: DatastoreRegistry,
        datastore_name: str,
        server_name: str | None = None,
        database_name: str | None = None,
        user_id: str | None = None,
        user_password: str | None = None,
        port_number: int | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        enforce_ssl: bool = True,
        *,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> Datastore:
        """A PostgreSQL database, of Azure's or any other. Where it is, is the connection's."""
        return workspace.register_datastore(
            datastore_name,
            {"type": "postgresql", "conn_id": conn_id},
            _given(user_password=user_password),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_my_sql(
        workspace: DatastoreRegistry,
        datastore_name: str,
        server_name: str | None = None,
        database_name: str | None = None,
        user_id: str | None = None,
        user_password: str | None = None,
        port_number: int | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        *,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> Datastore:
        """A MySQL or MariaDB database, of Azure's or any other. Where it is, is the connection's."""
        return workspace.register_datastore(
            datastore_name,
            {"type": "mysql", "conn_id": conn_id},
            _given(user_password=user_password),
            overwrite=overwrite,
        )

    @staticmethod
    def register_azure_data_lake(
        workspace: DatastoreRegistry, datastore_name: str, *args: Any, **kwargs: Any
    ) -> Datastore:
        """Refused: Data Lake Storage Gen1 was retired in 2024.

        :raises UserErrorException: always; it names what to use instead.
        """
        raise UserErrorException(
            f"Datastore {datastore_name!r}: Azure Data Lake Storage Gen1 was retired on 2024-02-29. Its data "
            f"was moved to Gen2: use Datastore.register_azure_data_lake_gen2."
        )

    @staticmethod
    def register_dbfs(workspace: DatastoreRegistry, datastore_name: str) -> Datastore:
        """Refused: the file system of a Databricks workspace is reached by DatabricksStep only.

        :raises UserErrorException: always.
        """
        raise UserErrorException(
            f"Datastore {datastore_name!r}: DBFS is no datastore here. Give a DatabricksStep the storage "
            f"below it, an azure_blob or object_storage datastore."
        )

    @staticmethod
    def register_hdfs(
        workspace: DatastoreRegistry, datastore_name: str, *args: Any, **kwargs: Any
    ) -> Datastore:
        """Refused: HDFS needs no SDK v1 arguments here.

        :raises UserErrorException: always; it names what to use instead.
        """
        raise UserErrorException(
            f"Datastore {datastore_name!r}: configure HDFS as a datastore of type object_storage, with an "
            f"hdfs:// url."
        )


def _given(**secrets: str | None) -> dict[str, str]:
    return {name: value for name, value in secrets.items() if value}
