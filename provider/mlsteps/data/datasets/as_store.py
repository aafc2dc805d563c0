"""A dataset as a store that can only be read, so that a step reads it like any other data."""

from __future__ import annotations

import builtins
import json
import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from mlsteps.data.datasets.definition import ConvertedSource, Definition, FilesReader, PathSource, QuerySource
from mlsteps.data.datasets.files import files_of
from mlsteps.data.datasets.globs import is_glob
from mlsteps.data.stores.base import FileInfo, Store, exact_path
from mlsteps.data.stores.read_only import ReadOnlyStore
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.digest import digest_tree

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset
    from mlsteps.data.datastore import DatastoreOwner

ROWS = "rows.parquet"
# Of rows nobody knows their bytes before they are read; what they are made of is known.
ROWS_PREFIX = "rows:"


def place_of(definition: Definition) -> PathSource | None:
    """The one file or folder that a dataset is, where it is nothing but that."""
    source, *others = definition.sources
    plain = not others and isinstance(definition.reader, FilesReader) and not definition.transforms
    return source if plain and isinstance(source, PathSource) and not is_glob(source.path) else None


def store_of(dataset: AbstractDataset, workspace: DatastoreOwner) -> DatasetStore:
    """The dataset's files; of a tabular dataset, its rows as one file."""
    return RowsStore(dataset, workspace) if dataset.definition.is_tabular else FilesStore(dataset, workspace)


class DatasetStore(ReadOnlyStore):
    """What datasets have in common as stores.

    :param dataset: Of which the files are.
    :param workspace: Whose datastores it names.
    """

    def __init__(self, dataset: AbstractDataset, workspace: DatastoreOwner) -> None:
        self.dataset = dataset
        self.workspace = workspace

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dataset!r})"

    def url(self, path: str) -> str:
        label = f"{self.dataset.name}:{self.dataset.version}" if self.dataset.name else self.dataset.id
        return "/".join(part for part in (f"dataset:{label}", exact_path(path)) if part)

    def stat(self, path: str) -> FileInfo | None:
        wanted = exact_path(path)
        return next((info for info in self.list() if info.path == wanted), None)

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        wanted = exact_path(prefix)
        for info in sorted(self._files(), key=lambda info: info.path):
            if not wanted or info.path == wanted or info.path.startswith(f"{wanted}/"):
                yield info

    def list_names(self, folder: str = "") -> builtins.list[str]:
        below = f"{exact_path(folder)}/" if exact_path(folder) else ""
        found = {info.path[len(below) :].partition("/")[0] for info in self.list(folder)}
        return sorted(found - {""})

    def read_only(self) -> UserErrorException:
        return UserErrorException(f"{self.url('')} is a dataset, which can only be read.")

    @abstractmethod
    def _files(self) -> Iterator[FileInfo]:
        """What there is, in any order."""


class FilesStore(DatasetStore):
    """The files of a dataset, at the paths of a mount."""

    def __init__(self, dataset: AbstractDataset, workspace: DatastoreOwner) -> None:
        super().__init__(dataset, workspace)
        self._places: dict[str, tuple[Store, str]] = {}

    def open(self, path: str) -> BinaryIO:
        store, place = self._place(path)
        return store.open(place)

    def get_file(self, path: str, target: Path) -> None:
        store, place = self._place(path)
        store.get_file(place, target)

    def _place(self, path: str) -> tuple[Store, str]:
        if exact_path(path) not in self._places:
            list(self._files())
        if exact_path(path) not in self._places:
            raise FileNotFoundError(f"{self.url('')} has no file {path!r}")
        return self._places[exact_path(path)]

    def _files(self) -> Iterator[FileInfo]:
        for store, info, relative in files_of(self.dataset, self.workspace):
            self._places[relative] = (store, info.path)
            yield FileInfo(relative, info.size, info.content, info.version)


class RowsStore(DatasetStore):
    """The rows of a tabular dataset as one Parquet file, which is made when it is fetched."""

    def open(self, path: str) -> BinaryIO:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "file")
            self.get_file(path, copy)
            return copy.open("rb")  # which stays readable when its name is gone

    def get_file(self, path: str, target: Path) -> None:
        from mlsteps.data.datasets.converting import write_parquet
        from mlsteps.data.datasets.registry import dataset_of
        from mlsteps.data.datasets.tabular_dataset import TabularDataset

        if exact_path(path) != ROWS:
            raise FileNotFoundError(f"{self.url('')} has no file {path!r}")
        rows = dataset_of(self.dataset.definition, self.workspace)
        assert isinstance(rows, TabularDataset)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(rows.to_pandas_dataframe(), target)

    def _files(self) -> Iterator[FileInfo]:
        yield FileInfo(ROWS, 0, f"{ROWS_PREFIX}{self._made_of()}")

    def _made_of(self) -> str:
        """A digest of the files that the rows are read from, and of how; of a query a new one each time."""
        definition = self.dataset.definition
        text = json.dumps(definition.to_json(), sort_keys=True)
        if _asks_a_database(definition):
            return uuid4().hex
        files = files_of(self.dataset, self.workspace)
        entries = [(relative, info.size, _known(store, info)) for store, info, relative in files]
        return digest_tree([*entries, ("definition:", len(text), text)])


def _known(store: Store, info: FileInfo) -> str:
    from mlsteps.data.content import content_of_file

    return content_of_file(store, info)


def _asks_a_database(definition: Definition) -> bool:
    return any(
        isinstance(source, QuerySource)
        or (isinstance(source, ConvertedSource) and _asks_a_database(source.dataset))
        for source in definition.sources
    )
