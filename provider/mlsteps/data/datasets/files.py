"""The files of a dataset: where they lie, and the path at which each stands for a script."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from mlsteps.data.datasets.definition import (
    ConvertedSource,
    Definition,
    FilesReader,
    Filter,
    PathSource,
    QuerySource,
    Sample,
    Skip,
    Source,
    Take,
    Transform,
    UrlSource,
)
from mlsteps.data.datasets.expressions import evaluate
from mlsteps.data.datasets.globs import compile_glob, fixed_prefix, is_glob
from mlsteps.data.datasets.partitions import partition_format
from mlsteps.data.datasets.sources import without_secrets
from mlsteps.exceptions import DataNotFoundException, UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset
    from mlsteps.data.datastore import DatastoreOwner
    from mlsteps.data.stores.base import FileInfo, Store

# How FileDataset.file_metadata's columns are called in expressions; no partition column has a colon.
METADATA = "file:"


@dataclass(frozen=True)
class DatasetFile:
    """One file of a dataset.

    :param relative: Where it stands below a mount or download of the dataset.
    :param values: Columns that its path gives, by ``partition_format``.
    """

    store: Store
    info: FileInfo
    relative: str
    values: Mapping[str, Any] = field(default_factory=dict)


def files_of(
    dataset: AbstractDataset, workspace: DatastoreOwner | None = None
) -> Iterator[tuple[Store, FileInfo, str]]:
    """Every file of a dataset: its store, what the store says of it, and its path in a mount.

    Files come source by source, sorted by path within each, one by one as they are listed; a file that
    several sources name comes once. A tabular dataset's files are those that its rows are read from.

    The path in a mount is, as in SDK v1, what follows the one source's fixed part: for a folder the path
    below it, for a pattern that below its part without wildcards, for a file its name. With several sources
    it is the path on the datastore, with the datastore's name in front if there is more than one; of a URL
    it is host and path.

    :param workspace: Whose datastores are meant; default: the workspace that the dataset was made with.
    :raises DataNotFoundException: a source names nothing.
    :raises UserErrorException: the dataset is a query, which has no files.
    """
    for file in dataset_files(dataset.definition, workspace or dataset.workspace):
        yield file.store, file.info, file.relative


def is_single_file(dataset: AbstractDataset, workspace: DatastoreOwner | None = None) -> bool:
    """Whether a dataset stands for a script as a file, and not as a folder: its one source is a file."""
    source, *others = dataset.definition.sources
    if others or isinstance(source, (ConvertedSource, QuerySource)):
        return False
    if isinstance(source, UrlSource):
        return True
    store = _store(source, workspace or dataset.workspace)
    return not is_glob(source.path) and store.stat(source.path) is not None


def dataset_files(
    definition: Definition, workspace: DatastoreOwner | None, ignore_not_found: bool = False
) -> Iterator[DatasetFile]:
    """The files of a definition, after its transforms where they are of files."""
    files = _listed(definition, workspace, ignore_not_found)
    text = definition.partition_format
    if text is not None:
        form = partition_format(text)
        files = (DatasetFile(f.store, f.info, f.relative, form.values(f.info.path)) for f in files)
    if isinstance(definition.reader, FilesReader):
        for transform in definition.transforms:
            files = _transformed(files, transform)
    return files


def _listed(
    definition: Definition, workspace: DatastoreOwner | None, ignore_not_found: bool
) -> Iterator[DatasetFile]:
    sources = definition.sources
    several_places = len({_place(source, workspace) for source in sources}) > 1
    seen: set[tuple[object, str]] = set()
    for source in sources:
        found = False
        for store, info, prefix in _of_source(source, definition.reader, workspace):
            found = True
            if len(sources) == 1:
                relative = info.below(prefix) or info.path.rpartition("/")[2]
                yield DatasetFile(store, info, relative)
                continue
            place = _place(source, workspace)
            if (place, info.path) not in seen:
                seen.add((place, info.path))
                front = f"{place}/" if several_places and isinstance(source, PathSource) else ""
                yield DatasetFile(store, info, f"{front}{info.path}")
        if not found and not ignore_not_found:
            raise DataNotFoundException(f"The dataset's {_describe(source, workspace)} is not there.")


def _of_source(
    source: Source, reader: object, workspace: DatastoreOwner | None
) -> Iterator[tuple[Store, FileInfo, str]]:
    """The files of one source with the part of their path that a mount leaves out."""
    if isinstance(source, UrlSource):
        from mlsteps.data.datasets.web import WebFile

        web = WebFile(source.url)
        for info in web.list():
            yield web, info, info.path.rpartition("/")[0]
    elif isinstance(source, PathSource):
        yield from _of_path(source, reader, workspace)
    elif isinstance(source, ConvertedSource):
        from mlsteps.data.datasets.converting import converted

        store = converted(source, workspace)
        for info in store.list():
            yield store, info, ""
    else:
        raise UserErrorException("A dataset of a query has no files: read it with to_pandas_dataframe().")


def _of_path(
    source: PathSource, reader: object, workspace: DatastoreOwner | None
) -> Iterator[tuple[Store, FileInfo, str]]:
    store = _store(source, workspace)
    if is_glob(source.path):
        pattern, prefix = compile_glob(source.path), fixed_prefix(source.path)
        yield from ((store, info, prefix) for info in store.list(prefix) if pattern.fullmatch(info.path))
        return
    for info in store.list(source.path):
        if isinstance(reader, FilesReader) and reader.is_file and info.path != source.path:
            raise UserErrorException(
                f"The dataset's {_describe(source, workspace)} is a folder; it was made with is_file=True."
            )
        yield store, info, source.path


def _transformed(files: Iterator[DatasetFile], transform: Transform) -> Iterator[DatasetFile]:
    if isinstance(transform, Skip):
        return islice(files, transform.count, None)
    if isinstance(transform, Take):
        return islice(files, transform.count)
    if isinstance(transform, Sample):
        return _sampled(files, transform)
    if isinstance(transform, Filter):
        return (file for file in files if evaluate(transform.expression, _columns(file)))
    raise UserErrorException(f"Files have no columns: {type(transform).__name__} is not for a FileDataset.")


def _sampled(files: Iterable[DatasetFile], sample: Sample) -> Iterator[DatasetFile]:
    draw = random.Random(sample.seed).random
    return (file for file in files if (draw() < sample.probability) != sample.rest)


def _columns(file: DatasetFile) -> dict[str, Any]:
    return {**file.values, f"{METADATA}Size": file.info.size}


def _store(source: PathSource, workspace: DatastoreOwner | None) -> Store:
    owner = _owner(workspace)
    return owner.open_store(source.datastore or owner.default_datastore_name())


def _place(source: Source, workspace: DatastoreOwner | None) -> object:
    """What tells stores apart: a datastore's name, else the source itself."""
    if isinstance(source, PathSource):
        return source.datastore or _owner(workspace).default_datastore_name()
    return source


def _owner(workspace: DatastoreOwner | None) -> DatastoreOwner:
    if workspace is None:
        raise UserErrorException("The dataset was made without a workspace: say whose datastores are meant.")
    return workspace


def _describe(source: Source, workspace: DatastoreOwner | None) -> str:
    if isinstance(source, PathSource):
        kind = "pattern" if is_glob(source.path) else "path"
        place = source.datastore or _owner(workspace).default_datastore_name()
        return f"{kind} {source.path or '/'!r} on datastore {place!r}"
    return f"file {without_secrets(source.url)!r}" if isinstance(source, UrlSource) else "query"
