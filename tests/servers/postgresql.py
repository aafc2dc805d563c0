"""PostgreSQL for tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlsteps.cli.standalone import free_port
from servers.debian import as_user, find_or_install, folder_of, running

PASSWORD = "s3cr3t:p@ss/word"
USER, DATABASE = "mlsteps", "tests"


@contextmanager
def postgresql() -> Iterator[int]:
    """A server on loopback with the database ``tests``; yields its port.

    :raises ServerMissing: it cannot be had here.
    """
    programs = find_or_install(_find, "postgresql")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with folder_of(user) as folder:
        data, port = folder / "data", free_port()
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initdb = [programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}"]
        options = ["--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(as_user(user, [*initdb, *options]), check=True, capture_output=True, cwd=folder)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "TimeZone": "Europe/Berlin",  # so that an instant that is taken for a local time is noticed
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = as_user(user, [programs / "postgres", "-D", data, *words])
        with running(server, folder / "log", lambda: _answers(programs, port)):
            environment = {**os.environ, "PGPASSWORD": PASSWORD}
            create = [programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE]
            subprocess.run(create, check=True, env=environment, capture_output=True)
            yield port


def _find() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _answers(programs: Path, port: int) -> bool:
    command = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(command).returncode == 0
