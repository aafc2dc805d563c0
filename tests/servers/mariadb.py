"""MariaDB for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlsteps.cli.standalone import free_port
from servers.debian import as_user, find_or_install, folder_of, running

PASSWORD = "s3cr3t:p@ss/word"
USER, DATABASE = "mlsteps", "tests"


@contextmanager
def mariadb() -> Iterator[int]:
    """A server on loopback with the database ``tests``; yields its port.

    Its default character set is latin1, as old servers' is, so that text which relies on it is noticed.

    :raises ServerMissing: it cannot be had here.
    """
    server = find_or_install(_find, "mariadb-server")
    user = "mysql" if os.geteuid() == 0 else None
    with folder_of(user) as folder:
        data, port, socket = folder / "data", free_port(), folder / "socket"
        install = [shutil.which("mariadb-install-db") or "mysql_install_db", "--no-defaults"]
        options = [f"--datadir={data}", "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(as_user(user, [*install, *options]), check=True, capture_output=True, cwd=folder)
        settings = [
            f"--datadir={data}",
            f"--port={port}",
            f"--socket={socket}",
            f"--pid-file={folder / 'pid'}",
            "--bind-address=127.0.0.1",
            "--character-set-server=latin1",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
        ]
        command = as_user(user, [server, "--no-defaults", *settings])
        client = [str(shutil.which("mariadb") or "mysql"), "--no-defaults", f"--socket={socket}", "-uroot"]
        with running(command, folder / "log", lambda: _works(client)):
            for statement in (
                f"CREATE DATABASE {DATABASE}",
                f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
                f"GRANT ALL ON *.* TO {USER}@'127.0.0.1'",
            ):
                subprocess.run([*client, "-e", statement], check=True, capture_output=True)
            yield port


def _find() -> Path | None:
    for name in ("mariadbd", "mysqld"):
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found:
            return Path(found)
    return None


def _works(client: list[str]) -> bool:
    return subprocess.run([*client, "-e", "SELECT 1"], capture_output=True).returncode == 0
