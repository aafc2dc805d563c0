"""Copies the files of a dataset to a local folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.data.datasets.files import DatasetFile, dataset_files
from mlsteps.data.local_paths import path_below
from mlsteps.exceptions import DataNotFoundException, UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset

_AT_ONCE = 8


def download(dataset: AbstractDataset, target: str, *, overwrite: bool, ignore_not_found: bool) -> list[str]:
    """Copy the files, some at a time; returns the local paths in the files' order.

    :raises UserErrorException: a file is there and may not be replaced; then none is copied.
    :raises DataNotFoundException: a file is not there, or no longer.
    """
    folder = Path(target).absolute()
    files = list(dataset_files(dataset.definition, dataset.workspace, ignore_not_found))
    places = [path_below(folder, file.relative, f"download: {_name(file)}") for file in files]
    for place in places:
        if not overwrite and place.exists():
            raise UserErrorException(
                f"download: {str(place)!r} exists already. Pass overwrite=True to replace it, or choose "
                f"another target_path."
            )
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(_copied(pool, zip(files, places, strict=True), ignore_not_found))


def _name(file: DatasetFile) -> str:
    return f"the file {file.info.path!r} at {file.store.url('')}"


def _copied(
    pool: ThreadPoolExecutor, files: Iterable[tuple[DatasetFile, Path]], ignore_not_found: bool
) -> Iterator[str]:
    copies = []
    for file, local in files:
        copies.append((file, local, pool.submit(file.store.get_file, file.info.path, local)))
    try:
        for file, local, copy in copies:
            try:
                copy.result()
            except FileNotFoundError:
                if not ignore_not_found:
                    raise DataNotFoundException(
                        f"{file.store.url(file.info.path)} was there when it was listed, and is not any more."
                    ) from None
            else:
                yield str(local)
    finally:
        for _, _, copy in copies:
            copy.cancel()
