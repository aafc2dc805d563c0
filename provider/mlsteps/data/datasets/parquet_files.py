"""Parquet files as pandas frames."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from mlsteps.data.datasets.files import DatasetFile
from mlsteps.data.datasets.libraries import pandas, parquet
from mlsteps.exceptions import UserErrorException


def parquet_frames(files: Iterable[DatasetFile]) -> Iterator[tuple[DatasetFile, Any]]:
    """Each file with its rows. What pandas wrote as an index is a column like others.

    :raises UserErrorException: a file is no Parquet file.
    """
    pandas()
    for file in files:
        with file.store.open(file.info.path) as stream:
            try:
                # The end of the file says what is in it, so the whole has to be at hand.
                seekable = stream if stream.seekable() else io.BytesIO(stream.read())
                frame = parquet().ParquetFile(seekable).read().to_pandas(ignore_metadata=True)
            except ValueError as error:  # of which pyarrow's errors are
                raise UserErrorException(
                    f"{file.store.url(file.info.path)} is not readable as Parquet: {error}"
                ) from error
        yield file, frame
