"""One file from a store to another: by the storage service where it can, else through this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsteps.data.stores import Store


def copy_file(source: Store, path: str, target: Store, there: str) -> None:
    """Copy the file at ``path`` of one store to ``there`` on the other."""
    if target.copy_here(source, path, there):
        return
    local = source.local_path(path)
    if local is not None:
        target.put_file(local, there)
        return
    with tempfile.TemporaryDirectory(prefix="mlsteps-") as folder:
        file = Path(folder) / "file"
        source.get_file(path, file)
        target.put_file(file, there)
