"""Outputs from the staging area to where they shall lie: copied by the storage service where it can."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.compute.staging import THREADS
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import Manifest

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutput
    from mlsteps.data.stores import Store

OUTPUTS = "outputs"
MANIFESTS = "manifests"


def published_outputs(
    ports: Iterable[JobOutput], area: Store, in_place: Callable[[JobOutput], bool]
) -> dict[str, Manifest]:
    """Copy what a job sent to the staging area to the stores; returns the manifest of each output.

    :param in_place: Whether an output stands already where it shall.
    :raises UserErrorException: a file stands at a destination and may not be replaced.
    """
    manifests = {}
    for port in ports:
        manifest = Manifest.from_json(area.read(f"{MANIFESTS}/{port.name}.json").decode())
        if not in_place(port):
            _copy(port, manifest, area)
        manifests[port.name] = manifest
    return manifests


def _copy(port: JobOutput, manifest: Manifest, area: Store) -> None:
    places = {
        f"{OUTPUTS}/{port.name}/{entry.path}".rstrip("/"): f"{port.path}/{entry.path}".rstrip("/")
        for entry in manifest.files
    }
    for there in () if port.replace else places.values():
        if port.store.stat(there) is not None:
            raise UserErrorException(
                f"Output {port.name!r}: {port.store.url(there)} exists already. "
                f"Use as_upload(overwrite=True), or a destination with {{run-id}} in it."
            )
    with ThreadPoolExecutor(THREADS, thread_name_prefix="publishing") as pool:
        copies = pool.map(lambda source: _copy_file(area, source, port.store, places[source]), places)
        try:
            for _ in copies:
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _copy_file(area: Store, source: str, store: Store, path: str) -> None:
    if store.copy_here(area, source, path):
        return
    with tempfile.TemporaryDirectory(prefix="mlsteps-") as folder:
        here = Path(folder) / "file"
        area.get_file(source, here)
        store.put_file(here, path)
