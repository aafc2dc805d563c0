"""Signatures that let whoever has them read a container or one blob for a while; made here, kept nowhere."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_shared_key import SharedKey

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, UserDelegationKey

# Azure gives out keys to sign with for a week at most.
_LONGEST_KEY = 7 * 24 * 3600 - 60
# How long a signature for a container is good, and how much of that a new request needs.
_LASTING = 3600.0
_LEFT = 1800.0


class Signer:
    """Signs with the account's key, or with one that the service gives to who signed in with a token.

    Who has nothing but a signature of somebody else's cannot sign.
    """

    def __init__(self, account: AzureAccount) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._key: tuple[float, UserDelegationKey] | None = None
        self._made: dict[tuple[str, bool], tuple[float, str]] = {}

    @property
    def can_sign(self) -> bool:
        """Whether it can."""
        credential = self._account.client.credential
        return self._account.can_sign or hasattr(credential, "get_token")

    @property
    def key(self) -> SharedKey | None:
        """What signs a request by itself; None for who does not hold the account's key."""
        client = self._account.client
        if not self._account.can_sign:
            return None
        return SharedKey(client.credential.account_name, client.credential.account_key)

    def blob(self, blob: BlobClient, seconds: float, *, write: bool) -> str:
        """What to append to the blob's URL, so that it can be read (or written)."""
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        permission = BlobSasPermissions(read=not write, create=write, write=write)
        return generate_blob_sas(
            # A blob's client of a container's takes the container for part of it, where a path names both.
            self._account.client.account_name or "",
            blob.container_name,
            blob.blob_name,
            permission=permission,
            expiry=_in(seconds),
            **self._by(seconds),
        )

    def container(self, name: str, *, write: bool = False) -> str:
        """The same for all blobs of a container, for half an hour or more. A new one is made now and then."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        with self._lock:
            expiry, signature = self._made.get((name, write), (0.0, ""))
        if expiry - time.monotonic() < _LEFT:
            signature = generate_container_sas(
                self._account.client.account_name or "",
                name,
                permission=ContainerSasPermissions(read=not write, list=not write, create=write, write=write),
                expiry=_in(_LASTING),
                **self._by(_LASTING),
            )
            with self._lock:
                self._made[name, write] = (time.monotonic() + _LASTING, signature)
        return signature

    def job(self, name: str, seconds: float) -> str:
        """For all blobs of a container that one job has to itself: to read and write; not to list."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        return generate_container_sas(
            self._account.client.account_name or "",
            name,
            permission=ContainerSasPermissions(read=True, create=True, write=True),
            expiry=_in(seconds),
            **self._by(seconds),
        )

    def cluster(self, name: str, seconds: float, *, write: bool) -> str:
        """For all blobs of a container, as Spark's drivers need it: to list and read; to change, too."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        return generate_container_sas(
            self._account.client.account_name or "",
            name,
            permission=ContainerSasPermissions.from_string("racwdlme" if write else "rl"),
            expiry=_in(seconds),
            **self._by(seconds),
        )

    def _by(self, seconds: float) -> dict[str, Any]:
        client = self._account.client
        if self._account.can_sign:
            return {"account_key": client.credential.account_key}
        with self._lock:
            if self._key is None or self._key[0] - time.monotonic() < seconds:
                lasting = min(2 * max(seconds, _LASTING), _LONGEST_KEY)
                # It begins a while ago, as clocks differ.
                key = client.get_user_delegation_key(_in(-300), _in(lasting))
                self._key = (time.monotonic() + lasting, key)
            return {"user_delegation_key": self._key[1]}


def _in(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)
