"""Datasets of data that is written here and now: uploaded folders, pandas frames, partitioned rows."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mlsteps.data.datasets.converting import write_parquet, write_partitions
from mlsteps.data.datasets.file_factory import FileDatasetFactory
from mlsteps.data.datasets.globs import compile_glob
from mlsteps.data.datasets.sources import DatasetWorkspace, datastore_and_path
from mlsteps.data.datasets.tabular_factory import TabularDatasetFactory
from mlsteps.data.datastore import Datastore
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset
    from mlsteps.data.datasets.file_dataset import FileDataset
    from mlsteps.data.datasets.tabular_dataset import TabularDataset


def upload_directory(
    src_dir: str, target: Any, pattern: str | None, overwrite: bool, show_progress: bool
) -> FileDataset:
    """See ``FileDatasetFactory.upload_directory``."""
    what = "upload_directory"
    datastore, path = _target(target, what)
    root = Path(os.path.abspath(src_dir))
    if not root.is_dir():
        raise UserErrorException(f"{what}: src_dir {src_dir!r} is not a folder.")
    wanted = compile_glob(pattern) if pattern else None
    names = [file.relative_to(root).as_posix() for file in sorted(root.rglob("*")) if file.is_file()]
    names = [name for name in names if wanted is None or wanted.fullmatch(name)]
    if not names:
        raise UserErrorException(
            f"{what}: {src_dir!r} has no files" + (f" that match {pattern!r}." if pattern else ".")
        )
    if not overwrite:
        for name in names:
            if datastore.store.stat(f"{path}/{name}".lstrip("/")) is not None:
                raise UserErrorException(
                    f"{what}: {name!r} is at {path or '/'!r} on datastore {datastore.name!r} already. Pass "
                    f"overwrite=True to replace it."
                )
    datastore.upload_files(
        [str(root / name) for name in names], str(root), path or None, overwrite, show_progress
    )
    return FileDatasetFactory.from_files((datastore, path))


def register_pandas_dataframe(
    dataframe: Any,
    target: Any,
    name: str,
    *,
    description: str | None,
    tags: Mapping[str, str] | None,
    show_progress: bool,
    row_group_size: int | None,
    unique: bool,
) -> TabularDataset:
    """See ``TabularDatasetFactory.register_pandas_dataframe``."""
    what = "register_pandas_dataframe"
    if not hasattr(dataframe, "to_parquet"):
        raise UserErrorException(
            f"{what}: dataframe must be a pandas DataFrame, got {type(dataframe).__name__}."
        )
    datastore, path = _target(target, what)
    if unique:
        path = f"{path}/{uuid.uuid4()}".lstrip("/")
    elif next(datastore.store.list(path), None) is not None:
        raise UserErrorException(
            f"{what}: the folder {path or '/'!r} on datastore {datastore.name!r} is not empty. Choose "
            f"another target, or leave make_target_path_unique=True."
        )
    with tempfile.TemporaryDirectory(prefix="mlsteps-dataset-") as folder:
        write_parquet(dataframe, Path(folder) / "part-00000.parquet", row_group_size)
        datastore.upload(folder, path, show_progress=show_progress)
    made = TabularDatasetFactory.from_parquet_files((datastore, path))
    return made.register(_workspace(datastore), name, description, tags, create_new_version=True)


def partition_by(
    dataset: TabularDataset,
    keys: Sequence[str],
    target: Any,
    name: str | None,
    show_progress: bool,
    as_files: bool,
) -> AbstractDataset:
    """See ``TabularDataset.partition_by``."""
    datastore, path = _target(target, "partition_by")
    path = f"{path}/{uuid.uuid4()}".lstrip("/")
    with tempfile.TemporaryDirectory(prefix="mlsteps-dataset-") as folder:
        types = write_partitions(dataset.definition, dataset.workspace, keys, Path(folder))
        datastore.upload(folder, path, show_progress=show_progress)
    form = "".join(f"/{{{key}}}" for key in keys) + "/*.parquet"
    made: AbstractDataset
    if as_files:
        made = FileDatasetFactory.from_files((datastore, path), partition_format=form)
    else:
        made = TabularDatasetFactory.from_parquet_files(
            (datastore, path), partition_format=form, set_column_types=types
        )
    if name is None:
        return made
    return made.register(_workspace(datastore), name, create_new_version=True)


def _target(target: Any, what: str) -> tuple[Datastore, str]:
    return (target, "") if isinstance(target, Datastore) else datastore_and_path(target, what)


def _workspace(datastore: Datastore) -> DatasetWorkspace:
    return cast("DatasetWorkspace", datastore.workspace)
