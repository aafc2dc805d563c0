"""Object storage as Airflow opens it: a URL as ``ObjectStoragePath`` takes it, and a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.data.stores import FolderStore, Store
from mlsteps.data.stores.object_errors import safe_text
from mlsteps.data.stores.object_storage import ObjectStorageStore
from mlsteps.exceptions import DatastoreException, WorkspaceException
from mlsteps.hooks.azure import connection_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_FOLDERS = ("file", "local")
_AZURE = ("abfs", "abfss", "adl", "az", "wasb", "wasbs")
# What has to be installed for a scheme, where we know.
_PACKAGES = {
    "s3": "airflow-provider-mlsteps[s3], which is apache-airflow-providers-amazon and s3fs",
    "gs": "airflow-provider-mlsteps[gcs], which is apache-airflow-providers-google and gcsfs",
}
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


def open_object_storage(url: str, conn_id: str | None = None) -> Store:
    """The store at a URL such as ``s3://bucket/folder``.

    :param url: It may name the connection, as in ``s3://conn_id@bucket/folder``.
    :param conn_id: The Airflow connection that opens it. Without one, and none in the URL, the filesystem
        finds credentials on the machine by itself.
    :raises WorkspaceException: the URL or the connection is not usable, or nothing here opens its scheme.
    :raises DatastoreException: the filesystem cannot be made.
    """
    scheme, conn_id, place = _parts(url, conn_id or "")
    if scheme in _FOLDERS:
        return FolderStore(f"/{place.lstrip('/')}")
    if scheme in _AZURE:
        raise WorkspaceException(
            f"Datastore at {scheme}://{place}: Azure's storage is not opened by URL. Give the datastore the "
            f"type azure_blob, its container and its connection."
        )
    if conn_id:
        connection_of(conn_id)  # some providers would go on without one that is missing
        label = f"Airflow connection {conn_id!r}"
    else:
        label = "the configuration of this machine"
    fs = _filesystem(scheme, conn_id, label)
    return ObjectStorageStore(fs, place, f"{scheme}://{place}", label)


def _parts(url: str, conn_id: str) -> tuple[str, str, str]:
    """Scheme, connection, and the place without a slash at its end."""
    scheme, found, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, bucket = authority.rpartition("@")
    if not found or not scheme or not (bucket or scheme in _FOLDERS):
        raise WorkspaceException(
            f"{_shown(scheme, bucket, path)!r} is no URL of an object storage; such a one is s3://bucket/folder."
        )
    if ":" in user:
        raise WorkspaceException(
            f"Datastore at {scheme}://{bucket}: its URL holds credentials. Put them into an Airflow "
            f"connection, and give its id as 'conn_id'."
        )
    if at and conn_id and user != conn_id:
        raise WorkspaceException(
            f"Datastore at {scheme}://{bucket}: its URL names the connection {user!r} and conn_id is "
            f"{conn_id!r}. Leave one of them out."
        )
    return scheme.lower(), conn_id or user, f"{bucket}{slash}{path}".rstrip("/")


def _shown(scheme: str, bucket: str, path: str) -> str:
    return f"{scheme}://{bucket}/{path}" if bucket or path else scheme


def _filesystem(scheme: str, conn_id: str, label: str) -> AbstractFileSystem:
    # Not attach(), which keeps what it made, even for a process that is forked later.
    from airflow.sdk.io import get_fs, has_fs

    if not has_fs(scheme):
        raise WorkspaceException(f"No provider that is installed opens {scheme}://. {_advice(scheme)}")
    try:
        return get_fs(scheme, conn_id or None)
    except ImportError as error:
        raise WorkspaceException(f"What opens {scheme}:// is not complete. {_advice(scheme)}") from error
    except Exception as error:
        raise DatastoreException(f"{label} opens no {scheme}://: {safe_text(error, {})}") from None


def _advice(scheme: str) -> str:
    package = _PACKAGES.get(_ALIASES.get(scheme, scheme))
    return f"Install {package}." if package else "Install the Airflow provider that has a filesystem for it."
