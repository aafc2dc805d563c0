"""What users pass as ``path`` of a dataset, as sources: datastore paths and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from mlsteps.data.datasets.definition import PathSource, Source, UrlSource
from mlsteps.data.datasets.globs import is_glob
from mlsteps.data.datastore import Datastore, DatastoreOwner
from mlsteps.data.reference import DataPath, DataReference
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.stores.base import Store

# Parameters of a URL that give whoever has it access.
_SECRET = re.compile(r"(.*[-_])?(sig|signature|token|(api)?key|password|secret|credential|code)", re.I)


class DatasetWorkspace(DatastoreOwner, Protocol):
    """What datasets need of a workspace."""

    def record_store(self) -> Store:
        """The storage that holds the registry."""


def sources_of(path: Any, what: str) -> tuple[tuple[Source, ...], DatastoreOwner | None]:
    """The sources that ``path`` names, and their workspace (None where all are URLs).

    :param path: A ``DataReference`` (``datastore.path(...)``), ``DataPath``, ``(datastore, path)`` tuple or
        http(s) URL, or a list of those.
    :param what: Who asks, for errors.
    :raises UserErrorException: it is none of those, or they are of several workspaces.
    """
    given = path if isinstance(path, list) else [path]
    if not given:
        raise UserErrorException(f"{what}: path is an empty list; name at least one file or folder.")
    sources: list[Source] = []
    workspaces: list[DatastoreOwner] = []
    for item in given:
        if isinstance(item, str):
            sources.append(_url(item, what))
            continue
        datastore, text = datastore_and_path(item, what)
        sources.append(PathSource(datastore.declared_name, text))
        if not any(workspace == datastore.workspace for workspace in workspaces):
            workspaces.append(datastore.workspace)
    if len(workspaces) > 1:
        raise UserErrorException(
            f"{what}: the paths are on datastores of {len(workspaces)} workspaces; use those of one."
        )
    return tuple(sources), workspaces[0] if workspaces else None


def datastore_and_path(item: Any, what: str) -> tuple[Datastore, str]:
    """The datastore and the path on it that a user named in one of the ways of SDK v1.

    :raises UserErrorException: it is none of them.
    """
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Datastore):
        return item[0], clean_path(item[1] or "", f"{what}: path")
    if isinstance(item, DataReference):
        return item.datastore, item.path_on_datastore
    if isinstance(item, DataPath):
        if item.datastore is None:
            raise UserErrorException(f"{what}: {item!r} has no datastore.")
        return item.datastore, item.path_on_datastore
    raise UserErrorException(
        f"{what}: path must be datastore.path(...), a DataPath, a tuple (datastore, path) or an https URL, "
        f"or a list of those, got {item!r}."
    )


def without_secrets(url: str) -> str:
    """A URL for people: no query, which may hold a signature, and no user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def grants_access(url: str) -> bool:
    """Whether a URL holds a signature or key, so that it must not be written down."""
    return any(_SECRET.fullmatch(name) for name, _ in parse_qsl(urlsplit(url).query))


def refuse_secrets(sources: Iterable[Source], what: str) -> None:
    """Raise ``UserErrorException`` where a URL holds a signature: what is registered, everybody can read."""
    for source in sources:
        if isinstance(source, UrlSource) and grants_access(source.url):
            raise UserErrorException(
                f"{what}: the URL {without_secrets(source.url)!r} holds a key or signature, which a registry "
                f"must not keep. Make it a datastore with its own connection and use datastore.path(...)."
            )


def _url(text: str, what: str) -> UrlSource:
    scheme = urlsplit(text).scheme.lower()
    if scheme in ("http", "https"):
        if not urlsplit(text).hostname:
            raise UserErrorException(f"{what}: the URL {without_secrets(text)!r} has no host.")
        if "@" in urlsplit(text).netloc:
            raise UserErrorException(
                f"{what}: the URL of {without_secrets(text)!r} holds a user's name or password. Make it a "
                f"datastore with its own connection and use datastore.path(...)."
            )
        if is_glob(urlsplit(text).path):
            raise UserErrorException(
                f"{what}: the URL {without_secrets(text)!r} has a pattern, but a web server cannot list "
                f"files. Name each file's URL, or use a datastore."
            )
        return UrlSource(text)
    if scheme in ("wasb", "wasbs", "abfs", "abfss", "adl", "azureml", "s3", "gs", "dbfs", "hdfs"):
        raise UserErrorException(
            f"{what}: {scheme}:// URLs are not read directly. Register the storage as a datastore of the "
            f"workspace and use datastore.path(...)."
        )
    raise UserErrorException(
        f"{what}: {text!r} is a local path, which other machines do not have. Upload it first: "
        f"Dataset.File.upload_directory(src_dir, (datastore, path)) or datastore.upload(...), then use "
        f"datastore.path(...)."
    )
