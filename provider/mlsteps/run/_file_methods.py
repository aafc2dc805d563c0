"""The part of ``Run`` that uploads, lists and downloads run files."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from typing import Any

from mlsteps.exceptions import UserErrorException
from mlsteps.run._core import RunCore
from mlsteps.run.files import (
    COLLECTED_FOLDERS,
    NameTaken,
    PathOrStream,
    check_is_file,
    clean_name,
    copy_out,
    files_below,
)
from mlsteps.run.protocol import EventKind


class FileMethods(RunCore):
    """``upload_*``, ``get_file_names`` and ``download_*`` of SDK v1's Run.

    A run's files are its uploads and, for the step itself, what lies below ``./outputs`` and ``./logs``.
    """

    def upload_file(self, name: str, path_or_stream: PathOrStream, datastore_name: str | None = None) -> None:
        """Upload one file.

        Args:
            name: its name among the run's files: relative, with ``/``, without ``..``.
            path_or_stream: a path, or an open stream (text is written as UTF-8).
            datastore_name: where to keep it; default the workspace's own place for run files.

        Raises:
            UserErrorException: the name is unusable or taken, or there is no such file.
        """
        self._upload(clean_name(name), path_or_stream, datastore_name)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[str | os.PathLike[str]],
        return_artifacts: bool = False,
        timeout_seconds: int | None = None,
        datastore_name: str | None = None,
    ) -> list[str] | None:
        """Upload several files; all of them are checked before the first is copied.

        Args:
            names: one name for each path, as of ``upload_file``.
            paths: the files.
            return_artifacts: return the names of the run files instead of None.
            timeout_seconds: accepted for SDK v1's sake; nothing goes over a network here.
            datastore_name: as of ``upload_file``.

        Raises:
            UserErrorException: as of ``upload_file``, or the two lists do not match.
        """
        if isinstance(names, str) or isinstance(paths, str) or len(names) != len(paths):
            raise UserErrorException("upload_files() takes two lists of one length: a name for each path.")
        cleaned = [clean_name(name) for name in names]
        self._upload_all([(name, os.fspath(path)) for name, path in zip(cleaned, paths)], datastore_name)
        return cleaned if return_artifacts else None

    def upload_folder(
        self, name: str, path: str | os.PathLike[str], datastore_name: str | None = None
    ) -> None:
        """Upload every file below a folder; all of them are checked before the first is copied.

        Args:
            name: a file becomes ``<name>/<its path below the folder>`` among the run's files.
            path: the folder.
            datastore_name: as of ``upload_file``.

        Raises:
            UserErrorException: there is no such folder, it holds no file, or a name is unusable or taken.
        """
        if not os.path.isdir(path):
            problem = "is a file. Use upload_file()." if os.path.isfile(path) else "is not there."
            raise UserErrorException(f"The folder {os.fspath(path)!r} {problem}")
        prefix = clean_name(name)
        files = [(f"{prefix}/{below}", file) for below, file in files_below(os.fspath(path))]
        if not files:
            raise UserErrorException(f"The folder {os.fspath(path)!r} holds no file to upload.")
        self._upload_all(files, datastore_name)

    def get_file_names(self) -> list[str]:
        """The names of the run's files as they are now."""
        return sorted(self._run_files())

    def download_file(self, name: str, output_file_path: str | os.PathLike[str] | None = None) -> None:
        """Copy one of the run's own files.

        Args:
            name: of the run file.
            output_file_path: where to; an existing folder, or one marked by a final ``/``, gets it under
                its own name. Default: the current folder.

        Raises:
            UserErrorException: the run has no such file.
        """
        wanted, files = clean_name(name), self._run_files()
        if wanted not in files:
            raise UserErrorException(f"The run has no file {wanted!r}. {_there(files)}")
        own_name = wanted.rpartition("/")[2]
        destination = own_name if output_file_path is None else os.fspath(output_file_path)
        if os.path.isdir(destination) or destination.endswith("/"):
            destination = os.path.join(destination, own_name)
        copy_out(files[wanted], destination)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | os.PathLike[str] | None = None,
        output_paths: Sequence[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: int | None = None,
    ) -> None:
        """Copy all of the run's own files, or those of one folder.

        Args:
            prefix: the folder; default all.
            output_directory: where to; default the current folder.
            output_paths: a path for each file, in the order of ``get_file_names``; default their own
                names.
            batch_size: accepted for SDK v1's sake.
            append_prefix: False leaves ``prefix`` out of the files' own names.
            timeout_seconds: accepted for SDK v1's sake.

        Raises:
            UserErrorException: there is no such file, or ``output_paths`` does not match.
        """
        folder = clean_name(prefix) + "/" if prefix else ""
        files = self._run_files()
        names = sorted(name for name in files if name.startswith(folder))
        if not names:
            raise UserErrorException(f"The run has no file below {prefix!r}. {_there(files)}")
        if output_paths is None:
            output_paths = names if append_prefix else [name[len(folder) :] for name in names]
        if len(set(output_paths)) != len(names):
            raise UserErrorException(f"output_paths needs one path for each of {names}.")
        for name, path in zip(names, output_paths):
            copy_out(files[name], os.path.join(output_directory or "", path))

    def _upload(self, name: str, source: PathOrStream, datastore_name: str | None = None) -> None:
        stored = self._files.store(name, source)
        place = {} if datastore_name is None else {"datastore": datastore_name}
        self._record(EventKind.UPLOAD, name=name, path=stored.path, size=stored.size, **place)

    def _upload_all(self, files: list[tuple[str, str]], datastore_name: str | None) -> None:
        names = set()
        for name, path in files:
            check_is_file(path)
            self._files.check_free(name)
            if name in names:
                raise NameTaken(name)
            names.add(name)
        for name, path in files:
            self._upload(name, path, datastore_name)

    def _upload_image(self, name: str, path: str | os.PathLike[str] | None, plot: Any) -> str:
        stem = "".join(char if char.isalnum() or char in "-_. /" else "_" for char in name).replace("..", "_")
        stem = f"{clean_name(stem.strip('/') or 'image')}_{int(time.time())}"
        ending = ".png" if path is None else os.path.splitext(path)[1]
        source: Any = path
        if path is None:
            if not hasattr(plot, "savefig"):
                raise UserErrorException(f"Image {name!r}: a {type(plot).__name__} has no savefig().")
            source = io.BytesIO()
            plot.savefig(source, format="png")
        for number in range(1_000_000):
            if path is None:
                source.seek(0)
            candidate = f"{stem}_{number}{ending}" if number else f"{stem}{ending}"
            try:
                self._upload(candidate, source)
            except NameTaken:  # two images of one name within a second
                continue
            return candidate
        raise NameTaken(stem)

    def _uploads(self) -> dict[str, str]:
        """Name -> path of every complete upload."""
        return {
            event["name"]: os.path.join(self._files.root, event["path"])
            for event in self._recorded(EventKind.UPLOAD)
            if event["path"]
        }

    def _run_files(self) -> dict[str, str]:
        files: dict[str, str] = {}
        base = self._files.working_directory
        if base is not None:
            for folder in COLLECTED_FOLDERS:
                for below, path in files_below(os.path.join(base, folder)):
                    files[f"{folder}/{below}"] = path
        return {**files, **self._uploads()}


def _there(files: dict[str, str]) -> str:
    """What a message says about the files that do exist."""
    names = sorted(files)
    if not names:
        return "It has none yet: upload one, or write below ./outputs."
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"It has {', '.join(map(repr, names[:20]))}{more}."
