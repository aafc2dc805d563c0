"""Connecting to a Docker engine, by way of the hook of Airflow's docker provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlsteps.environment.redaction import redact
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from docker import DockerClient

    from mlsteps.environment.image_engine import RegistryLogin

# Without any news from the engine; what takes longer, such as waiting for a container's end, streams.
_SECONDS = 60


@contextmanager
def connected(name: str, url: str | None, docker_conn_id: str | None) -> Iterator[DockerClient]:
    """A client of an engine.

    :param name: Of the compute target, for errors.
    :param url: The engine; None for ``DOCKER_HOST`` or the usual socket.
    :param docker_conn_id: Who is signed in to a registry on it.
    :raises ComputeTargetException: Docker's SDK is missing, or no engine answers.
    """
    try:
        import docker
    except ImportError:
        raise ComputeTargetException(
            f"Compute target {name!r} needs Docker's SDK: pip install 'airflow-provider-mlsteps[docker]'"
        ) from None
    client = None
    try:
        client = docker.DockerClient(url, timeout=_SECONDS) if url else docker.from_env(timeout=_SECONDS)
        client.ping()
    except Exception as error:  # the SDK lets errors of requests and urllib3 through
        if client is not None:
            client.close()
        where = redact(url) if url else "DOCKER_HOST, or the usual socket"
        raise ComputeTargetException(
            f"Compute target {name!r}: no Docker engine answers at {where}: {redact(str(error))}. Start it, "
            f"or set url to another one."
        ) from None
    try:
        if docker_conn_id is not None:
            from airflow.providers.docker.hooks.docker import DockerHook

            client.api = DockerHook(
                docker_conn_id=docker_conn_id, base_url=client.api.base_url if url is None else url
            ).get_conn()
        yield client
    finally:
        client.close()


def registry_login(docker_conn_id: str | None) -> RegistryLogin | None:
    """Name and password of a registry's connection."""
    if docker_conn_id is None:
        return None
    from airflow.sdk import BaseHook

    from mlsteps.environment.image_engine import RegistryLogin

    connection = BaseHook.get_connection(docker_conn_id)
    return RegistryLogin(connection.login or "", connection.password or "")
