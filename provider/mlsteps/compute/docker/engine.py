"""Connecting to a compute target's Docker engine, and to the registry that its images come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlsteps.environment.docker_client import EngineAddress, docker_client, keep_programs
from mlsteps.environment.redaction import redact
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from docker import DockerClient

    from mlsteps.environment.image_engine import RegistryLogin

# Without any news from the engine; what takes longer, such as waiting for a container's end, streams.
_SECONDS = 60


@contextmanager
def connected(name: str, address: EngineAddress) -> Iterator[DockerClient]:
    """A client of an engine.

    :param name: Of the compute target, for errors.
    :raises ComputeTargetException: Docker's SDK is missing, or no engine answers.
    """
    client = docker_client(address, _SECONDS, f"Compute target {name!r}", ComputeTargetException)
    try:
        yield client
    finally:
        client.close()


def sign_in(client: DockerClient, name: str, address: EngineAddress, docker_conn_id: str | None) -> None:
    """Let Airflow's hook sign in to a registry, so that a wrong password is told of before anything is made.

    :param address: Of the client's engine.
    :raises ComputeTargetException: there is no such connection, or the registry refuses it.
    """
    if docker_conn_id is None:
        return
    from airflow.providers.docker.hooks.docker import DockerHook

    plain = client.api
    try:
        client.api = DockerHook(
            docker_conn_id=docker_conn_id, timeout=_SECONDS, **address.for_sdk()
        ).get_conn()
        keep_programs(client.api)
    except Exception as error:  # of Airflow, of the hook, of Docker's SDK
        raise ComputeTargetException(
            f"Compute target {name!r}: signing in by connection {docker_conn_id!r} failed: "
            f"{redact(str(error))}. Look at the connection's host, login and password."
        ) from None
    plain.close()


def registry_login(docker_conn_id: str | None) -> RegistryLogin | None:
    """Name and password of a registry's connection."""
    if docker_conn_id is None:
        return None
    from airflow.sdk import BaseHook

    from mlsteps.environment.image_engine import RegistryLogin

    connection = BaseHook.get_connection(docker_conn_id)
    return RegistryLogin(connection.login or "", connection.password or "")
