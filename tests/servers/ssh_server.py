"""Debian's OpenSSH server for tests, on loopback, as whoever runs them."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlsteps.cli.standalone import free_port
from mlsteps.environment.machine_settings import installer_variables
from servers.debian import ServerMissing, find_or_install, folder_of, running

_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
MaxStartups 100
SetEnv {variables}
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class SshServer:
    """A running server.

    :param folder: Holds ``user_key``, which may enter, and ``other_key``, which may not.
    """

    port: int
    folder: Path

    @property
    def host_key(self) -> str:
        """The server's public key."""
        return (self.folder / "host_key.pub").read_text().strip()

    def connection(self, *, key: str = "user_key", host_key: str | None = "", host: str = "127.0.0.1") -> str:
        """An Airflow connection to it, as JSON."""
        extra = {"key_file": str(self.folder / key), "look_for_keys": "false"}
        if host_key is not None:
            extra["host_key"] = host_key or self.host_key
        return json.dumps(
            {"conn_type": "ssh", "host": host, "port": self.port, "login": getpass.getuser(), "extra": extra}
        )


@contextmanager
def ssh_server(variables: Mapping[str, str] | None = None) -> Iterator[SshServer]:
    """A server with keys of its own.

    :param variables: What programs find there in their environment.
    :raises ServerMissing: it cannot be had here.
    """
    sshd = find_or_install(_find, "openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists on it
    with folder_of(None) as folder:
        for name in ("host_key", "user_key", "other_key"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            try:
                subprocess.run(make, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise ServerMissing(f"ssh-keygen does not run: {error}") from None
        shutil.copyfile(folder / "user_key.pub", folder / "authorized_keys")
        port = free_port()
        (folder / "config").write_text(
            _CONFIG.format(port=port, folder=folder, variables=_variables(variables or {}))
        )
        command = [str(sshd), "-D", "-e", "-f", str(folder / "config")]
        with running(command, folder / "log", lambda: _answers(port)):
            yield SshServer(port, folder)


def _variables(more: Mapping[str, str]) -> str:
    """What a user's shell would set there: a language, and what this machine's installers need."""
    own = ("SSL_CERT", "PIP_", "UV_", "HTTP", "http", "NO_PROXY", "no_proxy", "REQUESTS_CA", "CURL_CA")
    found = {name: value for name, value in installer_variables(False).items() if name.startswith(own)}
    return " ".join(
        f'"{name}={value}"' for name, value in {"LANG": "C.UTF-8", **found, **more}.items() if value
    )


def _find() -> Path | None:
    found = shutil.which("sshd") or "/usr/sbin/sshd"
    return Path(found) if os.access(found, os.X_OK) else None


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return connection.recv(4).startswith(b"SSH")
    except OSError:
        return False
