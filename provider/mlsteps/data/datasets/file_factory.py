"""``Dataset.File``: makes FileDatasets."""

from __future__ import annotations

import os
from typing import Any

from mlsteps.data.datasets.definition import Definition, FilesReader
from mlsteps.data.datasets.file_dataset import FileDataset
from mlsteps.data.datasets.partitions import partition_format as parsed
from mlsteps.data.datasets.sources import sources_of


class FileDatasetFactory:
    """Makes FileDatasets. (SDK v1: ``azureml.data.dataset_factory.FileDatasetFactory``.)"""

    @staticmethod
    def from_files(
        path: Any, validate: bool = True, partition_format: str | None = None, is_file: bool = False
    ) -> FileDataset:
        """A dataset of files; nothing is read.

        :param path: ``datastore.path(...)``, a ``DataPath``, ``(datastore, path)`` or an https URL, or a list
            of those. Of a datastore, a file, a folder, or a pattern with ``*``, ``?`` and ``**``.
        :param validate: Accepted for SDK v1, which looks at the data here. A DAG file must parse without
            network, so a path that is not there is an error when the dataset is first used, always.
        :param partition_format: Columns in the paths, for ``filter``: ``"/{country}/{day:yyyy/MM}/*.jpg"``,
            from the first column to the path's end.
        :param is_file: The path must be one file.
        :raises UserErrorException: an argument is wrong; local paths are, with advice.
        """
        sources, workspace = sources_of(path, "Dataset.File.from_files")
        if partition_format is not None:
            parsed(partition_format)
        return FileDataset(Definition(sources, FilesReader(partition_format, bool(is_file))), workspace)

    @staticmethod
    def upload_directory(
        src_dir: str | os.PathLike[str],
        target: Any,
        pattern: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> FileDataset:
        """Copy a local folder to a datastore; returns a dataset of the folder there.

        :param target: A ``DataPath``, ``Datastore``, or ``(datastore, path)``.
        :param pattern: Only files whose path below ``src_dir`` matches: ``*``, ``?`` and ``**``.
        :param overwrite: Replace files that are there; otherwise one that is there is an error, and nothing
            is copied.
        """
        from mlsteps.data.datasets.writing import upload_directory

        return upload_directory(os.fspath(src_dir), target, pattern, overwrite, show_progress)
