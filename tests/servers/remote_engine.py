"""A Docker engine as on another machine: reached by TCP, and a folder of ours is not its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlsteps.cli.standalone import free_port
from servers import docker_engine
from servers.debian import ServerMissing, find_or_install, running, skip_or_fail


@dataclass(frozen=True)
class RemoteEngine:
    """Where it is.

    :param url: By TCP.
    :param certificates: The folder of its certificates; the signer of another engine's is ``other.pem``.
    :param hidden: The folder of ours that it does not see.
    """

    url: str
    certificates: Path
    hidden: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What Docker's clients find it by."""
        found = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.certificates)}
        return {"DOCKER_HOST": self.url, **found}

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def certificates_extra(self) -> dict[str, str]:
        """The extra of a connection to it."""
        names = {"ca_cert": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}
        return {key: str(self.certificates / name) for key, name in names.items()}


@contextmanager
def remote_engine(hidden: Path) -> Iterator[RemoteEngine]:
    """Such an engine, with the image, until the block ends; skips the test where it cannot be had.

    :param hidden: A folder here, in place of which it sees an empty one.
    """
    try:
        dockerd = find_or_install(docker_engine._dockerd, "docker.io")
        if os.geteuid() != 0 or shutil.which("openssl") is None:
            raise ServerMissing("Needs root, to start a Docker engine, and openssl.")
        folder = Path(tempfile.mkdtemp(prefix="mlsteps-docker-", dir=docker_engine._roomy_memory()))
        try:
            _make_certificates(folder)
            address = f"tcp://127.0.0.1:{free_port()}"
            kill, signal, *command = docker_engine._command(dockerd, folder, "overlay2")
            command += ["--host", address, "--tlsverify", "--tlscacert", f"{folder}/ca.pem"]
            command += ["--tlscert", f"{folder}/cert.pem", "--tlskey", f"{folder}/key.pem"]
            hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden)]
            local = f"unix://{folder}/docker.sock"
            with running(
                [kill, signal, *hide, *command], folder / "log", lambda: docker_engine._answers(local)
            ):
                docker_engine.load_image(local)
                yield RemoteEngine(address, folder, hidden)
        finally:
            docker_engine._remove(folder)
    except ServerMissing as missing:
        skip_or_fail(missing)


def _make_certificates(folder: Path) -> None:
    """One that signs, one for both sides that it has signed, and one that signs elsewhere."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    new += ["-nodes", "-days", "1"]
    signer = ["-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=authority"]
    signed = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=engine", "-CA", "ca.pem"]
    signed += ["-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
    other = ["-keyout", "other-key.pem", "-out", "other.pem", "-subj", "/CN=other"]
    for arguments in (signer, signed, other):
        subprocess.run([*new, *arguments], cwd=folder, check=True, capture_output=True)
