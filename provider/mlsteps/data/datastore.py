"""Datastore: a named place for files that the workspace knows. A handle; nothing is opened until used."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlsteps.data.datastore_registration import DatastoreRegistry, RegisteringMethods
from mlsteps.data.local_paths import path_below
from mlsteps.data.names import is_text
from mlsteps.data.reference import DataReference
from mlsteps.data.stores.base import FileInfo, Store, clean_path, exact_path
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class DatastoreOwner(DatastoreRegistry, Protocol):
    """What a datastore needs of its workspace."""

    @property
    def name(self) -> str:
        """For people."""

    locator: str

    def default_datastore_name(self) -> str:
        """The name that stands for "the default datastore"."""

    def set_default_datastore(self, name: str) -> None:
        """Make another the default one."""

    def unregister_datastore(self, name: str) -> None:
        """Forget a registered one."""

    def open_store(self, name: str) -> Store:
        """The storage behind a datastore's name."""


class Datastore(RegisteringMethods):
    """A place for files. ``Datastore(workspace)`` is the workspace's default one.

    Making one looks nothing up, so it may stand in a DAG file; an unknown name is an error on first use.
    (SDK v1: ``azureml.core.Datastore``.)
    """

    def __init__(self, workspace: DatastoreOwner, name: str | None = None) -> None:
        if name is not None and not is_text(name):
            raise UserErrorException(f"A datastore's name is a text, got {name!r}.")
        self.workspace = workspace
        self.declared_name = name

    @property
    def name(self) -> str:
        """The datastore's name; for the default one this asks the workspace."""
        return self.declared_name or self.workspace.default_datastore_name()

    def __repr__(self) -> str:
        return f"Datastore({self.declared_name or 'default'!r})"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return self.declared_name or "default"

    @staticmethod
    def get(workspace: DatastoreOwner, datastore_name: str) -> Datastore:
        """The datastore called ``datastore_name``."""
        return Datastore(workspace, datastore_name)

    @staticmethod
    def get_default(workspace: DatastoreOwner) -> Datastore:
        """The workspace's default datastore."""
        return Datastore(workspace)

    def set_as_default(self) -> None:
        """Make it the one of data for which none is named, for all who use the workspace."""
        self.workspace.set_default_datastore(self.name)

    def unregister(self) -> None:
        """Forget its name; what it holds stays.

        :raises WorkspaceException: it is configured, and not registered in code.
        """
        self.workspace.unregister_datastore(self.name)

    @property
    def store(self) -> Store:
        """The storage itself. Raises WorkspaceException for an unknown name."""
        return self.workspace.open_store(self.name)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """A reference to a file or folder here."""
        return DataReference(self, data_reference_name, path)

    def as_mount(self) -> DataReference:
        """A reference to the whole datastore, mounted."""
        return DataReference(self)

    def as_download(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to the whole datastore, as a private copy."""
        return DataReference(self, mode="download", path_on_compute=path_on_compute)

    def as_upload(self, path_on_compute: str | None = None) -> DataReference:
        """A reference to the whole datastore, as a place to upload to."""
        return DataReference(self, mode="upload", path_on_compute=path_on_compute)

    def upload(
        self,
        src_dir: str,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy a local folder's files to ``target_path``; see :meth:`upload_files`."""
        root = Path(src_dir)
        if not root.is_dir():
            raise UserErrorException(f"upload: {src_dir!r} is not a folder.")
        files = [str(file) for file in sorted(root.rglob("*")) if file.is_file()]
        return self.upload_files(files, str(root), target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: Sequence[str],
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy local files here.

        :param files: Paths of files.
        :param relative_root: The part of each path that is left out. Default: their common folder.
        :param target_path: The folder here; default: the datastore's root.
        :param overwrite: Replace files that exist; otherwise they are left as they are, and it is said which.
        :param show_progress: A progress bar on a terminal, a line a file elsewhere.
        :returns: A reference to the target path.
        """
        if isinstance(files, (str, os.PathLike)):
            raise UserErrorException(f"upload_files: files must be a list of paths, got {files!r}.")
        # Without the dots, which a path on the datastore may not have.
        paths = [Path(os.path.abspath(file)) for file in files]
        for path in paths:
            if not path.is_file():
                raise UserErrorException(f"upload_files: {str(path)!r} is not a file.")
        root = Path(os.path.abspath(relative_root)) if relative_root else _common_folder(paths)
        store, target = self.store, clean_path(target_path or "", "target_path")
        total = sum(path.stat().st_size for path in paths)
        with _progress(f"Uploading to {self.name}", total, show_progress) as advance:
            for path in paths:
                try:
                    relative = path.relative_to(root)
                except ValueError:
                    raise UserErrorException(
                        f"upload_files: {str(path)!r} is not below relative_root {str(root)!r}."
                    ) from None
                there = exact_path(f"{target}/{relative.as_posix()}")
                exists = not overwrite and store.stat(there) is not None
                if not exists:
                    store.put_file(path, there)
                advance(path.stat().st_size, there, exists)
        return self.path(target or None)

    def download(
        self, target_path: str, prefix: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> int:
        """Copy files from here to the local folder ``target_path``, keeping their paths.

        :param prefix: Only this file, or the files below this folder.
        :param overwrite: Replace local files; otherwise those that exist are left, and it is said which.
        :returns: The number of files copied.
        """
        store = self.store
        files = list(store.list(clean_path(prefix or "", "prefix")))
        return copy_to_folder(
            store, files, Path(target_path), overwrite=overwrite, show_progress=show_progress, label=self.name
        )


def copy_to_folder(
    store: Store,
    files: Iterable[FileInfo],
    target: Path,
    *,
    overwrite: bool,
    show_progress: bool,
    label: str,
) -> int:
    """Copy ``files`` into ``target``, recreating their paths; returns how many were copied.

    :raises UserErrorException: a file's path leads out of ``target``; none was copied.
    """
    listed = list(files)
    places = [path_below(target, file.path, f"{label}: the file {file.path!r}") for file in listed]
    copied = 0
    with _progress(f"Downloading from {label}", sum(file.size for file in listed), show_progress) as advance:
        for file, local in zip(listed, places, strict=True):
            exists = local.exists() and not overwrite
            if not exists:
                store.get_file(file.path, local)
                copied += 1
            advance(file.size, str(local), exists)
    return copied


def _common_folder(paths: list[Path]) -> Path:
    if not paths:
        raise UserErrorException("upload_files: no files were given.")
    return Path(os.path.commonpath([str(path.parent) for path in paths]))


@contextmanager
def _progress(title: str, total: int, show: bool) -> Iterator[Callable[[int, str, bool], None]]:
    """A function to call after each file with its size, its target and whether that existed and was left.

    A bar on a terminal, otherwise a line a file; without either, files that were left are still logged.
    """

    def told(file: str, exists: bool) -> str:
        return f"{title}: {file} exists, left as it is" if exists else f"{title}: {file}"

    def log(size: int, file: str, exists: bool) -> None:
        if exists:
            _LOG.info("%s", told(file, exists))

    if not show:
        yield log
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda size, file, exists: console.print(
            told(file, exists), highlight=False, markup=False, soft_wrap=True
        )
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)

        def advance(size: int, file: str, exists: bool) -> None:
            if exists:
                bar.console.print(told(file, exists), highlight=False, markup=False)
            bar.advance(task, size)

        yield advance
