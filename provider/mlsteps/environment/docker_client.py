"""Connecting to a Docker engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlsteps.environment.redaction import redact
from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from docker import DockerClient


def docker_client(url: str | None, timeout: int, what: str, error: type[MlstepsException]) -> DockerClient:
    """A client of an engine that answers. Whoever asked closes it.

    Args:
        url: the engine; ``None`` for ``DOCKER_HOST`` or the usual socket.
        timeout: seconds without any news from the engine.
        what: whom it is for, as the beginning of an error's text.
        error: raised where Docker's SDK is missing, or no engine answers.
    """
    try:
        import docker  # noqa: F401
    except ImportError:
        raise error(
            f"{what}: Docker's SDK is not installed: pip install 'airflow-provider-mlsteps[docker]'"
        ) from None
    client = None
    try:
        client = _client(url, timeout)
        client.ping()
    except Exception as problem:  # the SDK lets errors of requests and urllib3 through
        if client is not None:
            client.close()
        where = redact(url) if url else "DOCKER_HOST, or the usual socket"
        raise error(
            f"{what}: no Docker engine answers at {where}: {redact(str(problem))}. Start it, or set url to "
            f"another one."
        ) from None
    return client


def _client(url: str | None, timeout: int) -> DockerClient:
    import docker

    if url and not url.startswith("tcp://"):
        return docker.DockerClient(url, timeout=timeout)
    # With the certificates that DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say.
    environment = {**os.environ, "DOCKER_HOST": url} if url else None
    return docker.from_env(timeout=timeout, environment=environment)
