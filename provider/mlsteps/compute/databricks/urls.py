"""What a place of a datastore is called on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from mlsteps.data.stores import Store
from mlsteps.exceptions import ComputeTargetException

# As they are: a cluster with an instance profile or service account reads them.
_KNOWN_THERE = ("s3", "s3a", "gs", "abfss", "wasbs", "dbfs")


class AzurePlace(NamedTuple):
    """A path of an Azure storage account.

    :param account: Its name.
    :param suffix: What follows ``blob.`` in its address: ``core.windows.net``, or a sovereign cloud's.
    """

    account: str
    suffix: str
    container: str
    path: str

    def url(self, scheme: str) -> str:
        """By Spark's driver ``abfss`` or, as SDK v1 had it, ``wasbs``."""
        service = "blob" if scheme == "wasbs" else "dfs"
        return f"{scheme}://{self.container}@{self.account}.{service}.{self.suffix}/{self.path}"

    def host(self, scheme: str) -> str:
        """The account, as Spark's settings name it."""
        return f"{self.account}.{'blob' if scheme == 'wasbs' else 'dfs'}.{self.suffix}"


def azure_place(url: str) -> AzurePlace | None:
    """Where on Azure's blob storage a URL leads; None if it leads elsewhere."""
    parts = urlsplit(url)
    account, dot, rest = (parts.hostname or "").partition(".")
    if parts.scheme != "https" or not dot or not rest.startswith("blob."):
        return None
    # Not parts.path: '#' and '?' are characters of a blob's name like others.
    container, _, path = url.split("/", 3)[3].partition("/") if url.count("/") > 2 else ("", "", "")
    return AzurePlace(account, rest.removeprefix("blob."), container, path)


def cluster_url(where: str, store: Store, path: str, places: Mapping[str, str], scheme: str) -> str:
    """What a cluster calls a path of a store.

    :param where: The compute target and the port, for errors.
    :param places: Beginnings of folders of the worker or of URLs, and what clusters call them; the longest
        one that fits counts.
    :param scheme: For Azure's blob storage: ``abfss`` or ``wasbs``.
    :raises ComputeTargetException: nothing says how a cluster reaches it.
    """
    url = store.url(path)
    for begin in sorted(places, key=len, reverse=True):
        root = begin.rstrip("/")
        if url == root or url.startswith(f"{root}/"):
            return places[begin].rstrip("/") + url[len(root) :]
    azure = azure_place(url)
    if azure is not None:
        return azure.url(scheme)
    if urlsplit(url).scheme in _KNOWN_THERE:
        return url
    raise ComputeTargetException(
        f"{where}: {url} cannot be reached from Databricks. Say what it is called there in the compute "
        f"target's places, such as {{{url!r}: '/Volumes/main/ml/data'}}, or use a datastore on Azure Blob."
    )
