"""Sends an output to its store, and its manifest there when all outputs are complete."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.manifest import Manifest, list_files
from mlsteps.launcher.patterns import is_wanted
from mlsteps.launcher.progress import Progress
from mlsteps.launcher.refusals import RefusedException, UnreachableException
from mlsteps.launcher.remote import writer_for
from mlsteps.launcher.sending import send_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlsteps.launcher.job import OutputSpec
    from mlsteps.launcher.web import Web


def send_output(output: OutputSpec, path: str, web: Web, say: Callable[[str], None]) -> Manifest:
    """Send the file or folder that the script wrote; return the manifest of what was sent.

    Raises:
        MlstepsException: It cannot be read or sent.
        Cancelled: The work was given up.
    """
    assert output.upload is not None
    kind, found = list_files(path)
    if kind == "directory":
        found = [item for item in found if is_wanted(item[0], output.patterns)]
    total = sum(os.stat(source).st_size for _, source in found)
    progress = Progress(f"output {output.name!r}", total, say)
    place = output.upload
    try:
        entries = send_files(((part, source, place.below(part)) for part, source in found), web, progress.add)
    except (RefusedException, UnreachableException) as error:
        raise MlstepsException(f"cannot be sent: {error.message}") from error
    except OSError as error:
        raise MlstepsException(
            f"cannot be read: {error.filename or path!r}: {error.strerror or error}"
        ) from error
    progress.end()
    return Manifest.of(kind, tuple(entries))


def send_manifest(output: OutputSpec, web: Web) -> None:
    """Send the manifest that was written for an output. Raises as `send_output`."""
    place = output.manifest_upload
    assert place is not None
    with open(output.manifest_path, "rb") as file:
        data = file.read()
    try:
        writer_for(place).put(web, place, data)
    except (RefusedException, UnreachableException) as error:
        raise MlstepsException(
            f"Output {output.name!r}: the manifest cannot be sent: {error.message}"
        ) from error
