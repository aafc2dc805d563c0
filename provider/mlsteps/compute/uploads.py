"""Moving an output that a script wrote on the worker to the store where it shall lie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlsteps.compute.job import JobOutput
from mlsteps.compute.staging import THREADS
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import Manifest
from mlsteps.launcher.patterns import is_wanted


def collect_output(source: Path, manifest: Manifest, output: JobOutput) -> Manifest:
    """Copy the files of an output to its store, and return the manifest of what was copied.

    :raises UserErrorException: a file stands at the destination and may not be replaced; nothing is copied.
    """
    if output.patterns is not None and manifest.kind == "directory":
        wanted = tuple(entry for entry in manifest.files if is_wanted(entry.path, output.patterns))
        manifest = Manifest.of(manifest.kind, wanted)
    places = {entry.path: f"{output.path}/{entry.path}".rstrip("/") for entry in manifest.files}
    for there in () if output.replace else places.values():
        if output.store.stat(there) is not None:
            raise UserErrorException(
                f"Output {output.name!r}: {output.store.url(there)} exists already. "
                f"Use as_upload(overwrite=True), or a destination with {{run-id}} in it."
            )
    with ThreadPoolExecutor(THREADS, thread_name_prefix="publishing") as pool:
        uploads = pool.map(
            lambda path: output.store.put_file(source / path if path else source, places[path]), places
        )
        try:
            for _ in uploads:
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return manifest
