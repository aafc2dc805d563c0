"""What a script that is confined to some folders may make this process read: what it could see itself.

It may leave links where its results are looked for, and out here they lead elsewhere than in there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.launcher.manifest import Manifest


def is_below(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path, with all links followed, is one of the folders or lies in one."""
    real = path.resolve()
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def check_output(name: str, path: Path, manifest: Manifest, seen: Sequence[Path]) -> None:
    """Refuse an output with a file that the script could not see.

    :param path: The output's file or folder.
    :param seen: The files and folders that the script saw.
    :raises UserErrorException: it has one; nothing of it was read.
    """
    real = [place.resolve() for place in seen]
    for entry in manifest.files:
        file = (path / entry.path if entry.path else path).resolve()
        if not any(file.is_relative_to(place) for place in real):
            raise UserErrorException(
                f"Output {name!r}: {entry.path or path.name!r} is a link out of the folders that the script "
                f"sees. Copy the file into the output instead."
            )
