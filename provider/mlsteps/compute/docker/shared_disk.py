"""Whether a Docker engine sees the folders of this machine: found out by a mount that nothing runs in."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.compute.scratch import ScratchFolder
from mlsteps.data.stores import FolderStore
from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.reuse.process import process_facts

if TYPE_CHECKING:
    from docker import DockerClient

_MOUNT = "/mlsteps-probe"
_FILE = "token"


def shares_disk(engine: DockerClient, image: str, folder: Path, kept: Path) -> bool:
    """Whether what is in ``folder`` here is there as well, at the same path.

    A yes is kept; a no may be a mount that somebody forgot, and is asked for again.

    :param image: Some image that the engine has; it is not run.
    :param kept: A folder of this machine for that.
    """
    asked = f"{engine.info().get('ID')}\0{socket.gethostname()}\0{folder.absolute()}"
    store, name = FolderStore(kept), f"engines/{hashlib.sha256(asked.encode()).hexdigest()}"
    if store.stat(name) is not None:
        return True
    found = _sees(engine, image, folder)
    if found:
        store.write(name, b"sees the same folders", durable=False)
    return found


def _sees(engine: DockerClient, image: str, folder: Path) -> bool:
    """Mount a folder in a container that is never started, and look for what was just written."""
    from docker.errors import APIError, NotFound
    from docker.types import Mount

    from mlsteps.compute.docker.container import telling
    from mlsteps.compute.docker.files import read_file
    from mlsteps.compute.docker.sweeping import remove

    token = secrets.token_hex()
    with ScratchFolder(folder.absolute(), f"probe-{token[:16]}") as probe, telling():
        (probe / _FILE).write_text(token)
        mount = Mount(_MOUNT, str(probe), type="bind", read_only=True)
        try:
            container = engine.api.create_container(
                image,
                ["true"],
                labels={"mlsteps": "probe", WORKER_LABEL: json.dumps(dict(process_facts()))},
                host_config=engine.api.create_host_config(mounts=[mount], network_mode="none"),
            )["Id"]
        except APIError as error:
            if isinstance(error, NotFound) or not error.is_client_error():
                raise
            return False  # no such folder
        try:
            return read_file(engine.api, container, f"{_MOUNT}/{_FILE}") == token.encode()
        finally:
            remove(engine.api, container)
