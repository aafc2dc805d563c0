"""``with dataset.mount() as mount``: the files of a dataset as a folder, for a while."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.data.datasets.downloading import download
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset


class MountContext:
    """A copy of a dataset's files: made by ``start`` or the ``with`` block, removed by ``stop`` or its end.

    (SDK v1: ``azureml.dataprep.fuse.daemon.MountContext``.)

    :param mount_point: The folder, which must be new or empty.
    """

    def __init__(self, dataset: AbstractDataset, mount_point: str | os.PathLike[str] | None) -> None:
        self._dataset = dataset
        self._own = mount_point is None
        self.mount_point = os.path.abspath(mount_point or tempfile.mkdtemp(prefix="mlsteps-mount-"))
        if os.path.exists(self.mount_point) and os.listdir(self.mount_point):
            raise UserErrorException(
                f"mount: the folder {self.mount_point!r} is not empty. Choose another mount_point."
            )

    def start(self) -> None:
        """Copy the files."""
        download(self._dataset, self.mount_point, overwrite=False, ignore_not_found=False)

    def stop(self) -> None:
        """Remove the copy; a folder that the user named stays, empty."""
        shutil.rmtree(self.mount_point, ignore_errors=True)
        if not self._own:
            Path(self.mount_point).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> MountContext:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
