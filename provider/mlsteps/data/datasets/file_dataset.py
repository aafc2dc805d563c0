"""FileDataset: files of any kind."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.data.datasets.abstract import AbstractDataset
from mlsteps.data.datasets.downloading import download
from mlsteps.data.datasets.expressions import Expression, column
from mlsteps.data.datasets.files import METADATA, files_of
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.consumption import DatasetConsumptionConfig
    from mlsteps.data.datasets.mounting import MountContext


class FileDataset(AbstractDataset):
    """Files on datastores or on the web. Made by ``Dataset.File.from_files``.

    (SDK v1: ``azureml.data.FileDataset``.)
    """

    def to_path(self) -> list[str]:
        """The paths of the files in a mount or download, each with a slash in front. Lists the files."""
        return [f"/{relative}" for _, _, relative in files_of(self)]

    def download(
        self,
        target_path: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        ignore_not_found: bool = False,
    ) -> list[str]:
        """Copy the files to a local folder; returns their paths.

        :param target_path: The folder; default: a new temporary one.
        :param overwrite: Replace files that are there; otherwise one that is there is an error.
        :param ignore_not_found: Go on where a path of the dataset is not there.
        :raises DataNotFoundException: a path of the dataset is not there.
        """
        target = os.fspath(target_path or tempfile.mkdtemp(prefix="mlsteps-dataset-"))
        return download(self, target, overwrite=overwrite, ignore_not_found=ignore_not_found)

    def mount(self, mount_point: str | os.PathLike[str] | None = None, **kwargs: Any) -> MountContext:
        """The files as a folder, for ``with dataset.mount() as mount: mount.mount_point``.

        It is a copy that is made when the block starts and removed when it ends: no file system is mounted.

        :param mount_point: The folder, new or empty; default: a temporary one.
        """
        from mlsteps.data.datasets.mounting import MountContext

        return MountContext(self, mount_point)

    def file_metadata(self, col: str) -> Expression:
        """What is known of a file, for the conditions of :meth:`filter`.

        :param col: ``Size``, in bytes. SDK v1's times are not to be had of every store.
        """
        if col != "Size":
            raise UserErrorException(f"file_metadata: {col!r} is not known of files here; there is 'Size'.")
        return column(f"{METADATA}{col}")

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """This dataset as a mounted input of a step, with a name made from its id."""
        return self.as_named_input(self._input_name()).as_mount(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """This dataset as a copy on the compute target, with a name made from its id."""
        return self.as_named_input(self._input_name()).as_download(path_on_compute)

    def as_hdfs(self) -> NoReturn:
        """SDK v1's mode for Synapse Spark, which there is not."""
        raise UserErrorException("as_hdfs: there is no HDFS here; use as_mount() or as_download().")

    def _input_name(self) -> str:
        return f"input__{self.id[:8]}"
