"""Bringing an output from where the script wrote it to the store where it shall lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mlsteps.compute.job import JobOutput
from mlsteps.compute.staging import THREADS
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import Manifest
from mlsteps.launcher.parallel import by_threads
from mlsteps.launcher.patterns import is_wanted


def collect_output(source: Path, manifest: Manifest, output: JobOutput) -> Manifest:
    """Copy the files of an output to its store, and return the manifest of what was copied.

    :raises UserErrorException: a file stands at the destination and may not be replaced; nothing is copied.
    """
    if output.patterns is not None and manifest.kind == "directory":
        wanted = tuple(entry for entry in manifest.files if is_wanted(entry.path, output.patterns))
        manifest = Manifest.of(manifest.kind, wanted)
    places = {entry.path: f"{output.path}/{entry.path}".rstrip("/") for entry in manifest.files}
    place_files(
        output, places, lambda path, there: output.store.put_file(source / path if path else source, there)
    )
    return manifest


def place_files(output: JobOutput, places: Mapping[str, str], put: Callable[[str, str], None]) -> None:
    """Let ``put`` bring the files of an output to their places on its store, several at a time.

    :param places: For each file where it shall lie.
    :param put: Given both.
    :raises UserErrorException: a file stands at a place and may not be replaced; nothing was put anywhere.
    """
    for there in () if output.replace else places.values():
        if output.store.stat(there) is not None:
            raise UserErrorException(
                f"Output {output.name!r}: {output.store.url(there)} exists already. "
                f"Use as_upload(overwrite=True), or a destination with {{run-id}} in it."
            )
    for _ in by_threads(lambda name: put(name, places[name]), places, THREADS):
        pass
