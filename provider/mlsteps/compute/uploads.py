"""Moving an output that a script wrote on the worker to the store where it shall lie."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from mlsteps.compute.job import JobOutput
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import Manifest


def collect_output(source: Path, manifest: Manifest, output: JobOutput) -> Manifest:
    """Copy the files of an output to its store, and return the manifest of what was copied.

    :raises UserErrorException: a file stands at the destination and may not be replaced.
    """
    if output.patterns is not None:
        wanted = tuple(e for e in manifest.files if any(fnmatch(e.path, p) for p in output.patterns))
        manifest = Manifest.of(manifest.kind, wanted)
    for entry in manifest.files:
        there = f"{output.path}/{entry.path}".rstrip("/")
        if not output.replace and output.store.stat(there) is not None:
            raise UserErrorException(
                f"Output {output.name!r}: {output.store.url(there)} exists already. "
                f"Use as_upload(overwrite=True), or a destination with {{run-id}} in it."
            )
        output.store.put_file(source / entry.path if entry.path else source, there)
    return manifest
