"""Connecting to a machine, by way of the hook of Airflow's SSH provider."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlsteps.environment.redaction import redact
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from paramiko import SSHClient

_NETWORK = {errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}


@contextmanager
def connected(name: str, ssh_conn_id: str) -> Iterator[SSHClient]:
    """A connection to the machine.

    :param name: Of the compute target, for errors.
    :raises ComputeTargetException: the provider is missing, or the machine cannot be used.
    """
    where = f"Compute target {name!r}"
    try:
        from airflow.providers.ssh.hooks.ssh import SSHHook
    except ImportError:
        raise ComputeTargetException(
            f"{where} needs Airflow's SSH provider: pip install 'airflow-provider-mlsteps[ssh]'"
        ) from None
    address = f"the machine of Airflow's connection {ssh_conn_id!r}"
    try:
        hook = SSHHook(ssh_conn_id=ssh_conn_id)
        address = f"{hook.username}@{hook.remote_host}:{hook.port}"
        client = hook.get_conn()
    except Exception as error:  # of Airflow, paramiko and the network alike
        raise ComputeTargetException(f"{where}: {_explained(error, address, ssh_conn_id)}") from None
    try:
        yield client
    finally:
        client.close()


@contextmanager
def talking(what: str) -> Iterator[None]:
    """Say in words that a connection was lost, or is silent.

    :param what: What was being done.
    :raises ComputeTargetException: it was.
    """
    from paramiko import SSHException

    try:
        yield
    except (SSHException, EOFError, ConnectionError, TimeoutError) as error:
        raise lost(what, error) from None
    except OSError as error:
        if error.errno in _NETWORK or "Socket is closed" in str(error):
            raise lost(what, error) from None
        raise


def lost(what: str, error: object = "") -> ComputeTargetException:
    """What to raise when the connection is gone."""
    reason = redact(str(error)) or type(error).__name__ if error != "" else "it was closed"
    return ComputeTargetException(
        f"The connection to the machine was lost while {what}: {reason}. This is the infrastructure's doing, "
        f"not the script's, which is ended there; the task can be tried again."
    )


def _explained(error: Exception, address: str, ssh_conn_id: str) -> str:
    import socket

    from paramiko import AuthenticationException, BadHostKeyException, SSHException

    text = redact(str(error)) or type(error).__name__
    if isinstance(error, BadHostKeyException):
        return (
            f"{address} has another host key than the one that is known. If the machine was set up anew, "
            f"correct host_key in the extra of the connection {ssh_conn_id!r}, or known_hosts."
        )
    if isinstance(error, AuthenticationException):
        return (
            f"{address} refuses the key or password of the connection {ssh_conn_id!r}: {text}. Set the right "
            f"private_key, key_file or password, and put the public key into authorized_keys there."
        )
    if isinstance(error, SSHException) and "not found in known_hosts" in text:
        return (
            f"the host key of {address} is not known. Put host_key into the extra of the connection "
            f"{ssh_conn_id!r}, or the key into known_hosts."
        )
    if isinstance(error, socket.gaierror):
        return f"the host of {address} is unknown: {text}. Correct host in the connection {ssh_conn_id!r}."
    if isinstance(error, (OSError, SSHException, EOFError)):
        return f"no SSH server answers at {address}: {text}. Start it, or correct {ssh_conn_id!r}."
    return f"Airflow's connection {ssh_conn_id!r} cannot be used: {text}"
