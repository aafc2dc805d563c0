"""Outputs from the staging area to where they shall lie: copied by the storage service where it can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mlsteps.compute.staged.copying import copy_file
from mlsteps.compute.uploads import place_files
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
    place_files(port, places, lambda source, there: copy_file(area, source, port.store, there))
