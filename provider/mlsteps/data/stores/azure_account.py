"""An Azure storage account as its credentials open it: the one place that makes clients for it."""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import DatastoreException

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.storage.blob import BlobServiceClient

# Blocks and ranges are as large as the chunks of a digest, so that both can be checked by chunk.
TRANSFER_SIZE = 4 * 1024 * 1024
# Connections that are kept open; requests beyond that would each open one anew.
CONNECTIONS = 32
_LONGEST_PAUSE = 60.0
_SIGNATURE = re.compile(r"(?i)\b(sig|signature|accountkey|sharedaccesssignature)(=|%3d)[^&;\s'\"]+")


@dataclass(frozen=True)
class RetryLimits:
    """How long a request is tried again while the service is busy, silent or gone: about four minutes.

    :param attempts: Tries after the first one.
    :param pause: Seconds before the first of them; the later ones wait twice as long each, up to a minute.
    :param connect, read: Seconds until a silent connection counts as broken.
    """

    attempts: int = 9
    pause: float = 0.5
    connect: float = 20.0
    read: float = 60.0


@dataclass(frozen=True)
class AzureAccount:
    """Where an account is, and how a client for it is made.

    :param make: Makes the client, given further options for it. Called once.
    :param label: Where the credentials are from, for people: ``Airflow connection 'wasb_default'``.
    """

    make: Callable[[Mapping[str, Any]], BlobServiceClient] = field(repr=False)
    label: str
    limits: RetryLimits = RetryLimits()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def client(self) -> BlobServiceClient:
        """The client; any number of threads may use it.

        :raises DatastoreException: the credentials do not open it.
        """
        with self._lock:
            return self._client

    @cached_property
    def _client(self) -> BlobServiceClient:
        try:
            return self.make(_options(self.limits))
        except Exception as error:
            raise DatastoreException(f"{self.label} opens no storage account: {safe_text(error)}") from None

    @property
    def can_sign(self) -> bool:
        """Whether it holds the account's key, which makes signed URLs without asking the service."""
        return bool(getattr(self.client.credential, "account_key", None))


def _options(limits: RetryLimits) -> dict[str, Any]:
    from azure.core.pipeline.transport import RequestsTransport
    from requests import Session
    from requests.adapters import HTTPAdapter

    for name in ("azure.core", "azure.identity"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:  # otherwise each request is told, in ten lines
            logger.setLevel(logging.WARNING)
    session = Session()
    for scheme in ("https://", "http://"):
        # Tries again are the retry policy's, which knows what may be sent twice.
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0))
    return {
        "transport": RequestsTransport(session=session, session_owner=False),
        "retry_policy": _retry_policy(limits),
        "raw_response_hook": _try_again_if_throttled,
        "connection_timeout": limits.connect,
        "read_timeout": limits.read,
        "max_single_put_size": TRANSFER_SIZE,
        "max_block_size": TRANSFER_SIZE,
        "max_single_get_size": TRANSFER_SIZE,
        "max_chunk_get_size": TRANSFER_SIZE,
    }


def _retry_policy(limits: RetryLimits) -> object:
    from azure.storage.blob import ExponentialRetry

    class Doubling(ExponentialRetry):
        """The SDK's policy with pauses that begin short and double, with jitter."""

        def get_backoff_time(self, settings: dict[str, Any]) -> float:
            longest = min(_LONGEST_PAUSE, limits.pause * 2.0 ** (settings["count"] - 1))
            return random.uniform(longest / 2, longest)

    tries = limits.attempts
    return Doubling(retry_total=tries, retry_connect=tries, retry_read=tries, retry_status=tries)


def _try_again_if_throttled(response: Any) -> None:
    """The SDK tries again after a 503 and not after a 429; of an error of this kind it does."""
    from azure.core.exceptions import ServiceResponseError

    if response.http_response.status_code == 429:
        raise ServiceResponseError("The storage account is throttling requests (429).")


def safe_text(error: BaseException) -> str:
    """What an error says, without the signatures and keys that SDKs put into their texts."""
    text = str(error).partition("\nRequestId:")[0].strip() or type(error).__name__
    return _SIGNATURE.sub(r"\1\2***", text)


def error_code(error: AzureError) -> str:
    """The service's own name for what went wrong, such as ``ContainerNotFound``; empty if it gave none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def explained(error: AzureError, doing: str, url: str, label: str) -> DatastoreException:
    """The error for people: what was being done, where, with whose credentials, and what to do."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    status = error.status_code if isinstance(error, HttpResponseError) else None
    told = error_code(error) or type(error).__name__
    advice = ""
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        advice = f" What {label} holds does not allow it: see that the key, token or role is the right one."
    elif told == "ContainerNotFound":
        advice = " Make the container, or give the datastore create_if_not_exists."
    elif status is None:
        advice = " The storage account did not answer, though it was tried again for some minutes."
    return DatastoreException(f"{doing} {url}: {told}: {safe_text(error)}{advice}", status=status)
