"""Connecting to a Docker engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlsteps.environment.redaction import redact
from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from docker import APIClient, DockerClient

    from mlsteps.environment.docker_tls import EngineTls

_USUAL = "unix://"
_BY_SSH = "http+docker://ssh"  # as Docker's SDK calls it


@dataclass(frozen=True)
class EngineAddress:
    """Where an engine is, and who told.

    Args:
        url: ``None`` for ``DOCKER_HOST`` or the usual socket.
        tls: certificates; without a connection those of ``DOCKER_CERT_PATH`` are looked for.
        connection: the id of Airflow's connection that says so.
    """

    url: str | None = None
    tls: EngineTls | None = field(default=None, repr=False)
    connection: str | None = None

    def for_sdk(self) -> Mapping[str, Any]:
        """``base_url``, and ``tls`` if there is one, as Docker's SDK and Airflow's hook take them."""
        if self.connection is not None:
            return {"base_url": self.url, **({"tls": self.tls} if self.tls is not None else {})}
        from docker.utils import kwargs_from_env

        if self.url and not self.url.startswith("tcp://"):
            return {"base_url": self.url}
        # With the certificates that DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say.
        found = kwargs_from_env({**os.environ, "DOCKER_HOST": self.url} if self.url else None)
        url = found.get("base_url") or _USUAL
        if "tls" not in found or not url.startswith(("tcp://", "https://")):
            return {"base_url": url}
        from mlsteps.environment.docker_tls import EngineTls

        return {"base_url": url, "tls": EngineTls.like(found["tls"])}

    def __str__(self) -> str:
        where = redact(self.url) if self.url else "DOCKER_HOST, or the usual socket"
        return f"{where} (connection {self.connection!r})" if self.connection else where


def docker_client(
    address: EngineAddress, timeout: int, what: str, error: type[MlstepsException]
) -> DockerClient:
    """A client of an engine that answers. Whoever asked closes it.

    Args:
        address: where the engine is.
        timeout: seconds without any news from the engine.
        what: whom it is for, as the beginning of an error's text.
        error: raised where Docker's SDK is missing, or no engine answers.
    """
    try:
        import docker
    except ImportError:
        raise error(
            f"{what}: Docker's SDK is not installed: pip install 'airflow-provider-mlsteps[docker]'"
        ) from None
    client = None
    try:
        client = docker.DockerClient(timeout=timeout, **address.for_sdk())
        keep_programs(client.api)
        client.ping()
    except Exception as problem:  # the SDK lets errors of requests and urllib3 through
        if client is not None:
            client.close()
        mend = "correct the connection" if address.connection else "set url to another one"
        raise error(
            f"{what}: no Docker engine answers at {address}: {redact(str(problem))}. Start it, or {mend}."
        ) from None
    return client


def keep_programs(api: APIClient) -> None:
    """Have an engine that is reached by SSH asked through a program that was started there before.

    Docker's SDK keeps connections for the next request of the very same URL, so nearly every request would
    start another program, which takes half a second and more.
    """
    adapter: Any = api.get_adapter(_BY_SSH) if api.base_url == _BY_SSH else None
    if adapter is not None:
        connections = adapter.get_connection
        adapter.get_connection = lambda url, proxies=None: connections(_BY_SSH, proxies)
