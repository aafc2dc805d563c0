"""Packs the launcher, and the ``mlsteps.run`` that scripts import, into one zip file."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Union

from mlsteps.launcher import snapshot_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    StrPath = Union[str, os.PathLike[str]]

_PACKAGE = Path(__file__).resolve().parent.parent
_FILES = ("__init__.py", "exceptions.py")
_FOLDERS = ("launcher", "run")
_MAIN = b"from mlsteps.launcher.__main__ import main\n\nmain()\n"


def build_launcher_zip(target_dir: StrPath) -> Path:
    """Return the path of the launcher's zip file in ``target_dir``, written unless it is there already.

    Runs as ``python -I -S launcher.zip JOB.json``, and on ``PYTHONPATH`` offers ``mlsteps.run``. The name
    holds the hash of the content, so that an upgrade never changes a file that is in use.

    Raises:
        SnapshotException: It cannot be written, or this package was installed without its source files.
    """
    files = sorted(_sources())
    sha = hashlib.sha256(_MAIN)
    for name, path in files:
        content = path.read_bytes()
        sha.update(f"{name}\0{len(content)}\0".encode() + content)
    target = Path(target_dir) / f"mlsteps-launcher-{sha.hexdigest()[:16]}.zip"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder) / "__main__.py"
        main.write_bytes(_MAIN)
        # Not compressed: read a little faster at every start, and the same bytes whatever the zlib.
        snapshot_archive.write_archive([("__main__.py", main), *files], target, compress=False)
    return target


def _sources() -> Iterator[tuple[str, Path]]:
    for name in _FILES:
        yield f"mlsteps/{name}", _PACKAGE / name
    for folder in _FOLDERS:
        for path in (_PACKAGE / folder).rglob("*.py"):
            yield path.relative_to(_PACKAGE.parent).as_posix(), path
