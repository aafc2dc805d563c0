"""The files of a run on disk: their names, storing an upload, finding what is there, copying it back out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, Protocol, Union

from mlsteps.exceptions import UserErrorException
from mlsteps.run.protocol import UPLOADS_FOLDER

PathOrStream = Union[str, "os.PathLike[str]", IO[Any]]

COLLECTED_FOLDERS = ("outputs", "logs")

_CHUNK = 1 << 20


class NameTaken(UserErrorException):
    """The run already has a file, or a folder, of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The run already has a file or folder {name!r}. Choose another name.")


class Stored(NamedTuple):
    """A file taken in: ``path`` is relative to the run directory, or absolute where nothing was copied."""

    path: str
    size: int


class RunFiles(Protocol):
    """Where a run keeps its uploads (``root``) and collects files from (``working_directory``, or None)."""

    @property
    def root(self) -> str: ...

    @property
    def working_directory(self) -> str | None: ...

    def check_free(self, name: str) -> None:
        """Raise NameTaken if the name could not be stored any more."""

    def store(self, name: str, source: PathOrStream) -> Stored:
        """Take in a file or stream under a clean name."""


class UploadFolder:
    """The uploads of one run inside the run directory.

    Args:
        root: the run directory.
        owner: whose uploads: ``self``, ``parent`` or a child's id; each has a folder of its own.
        working_directory: holds the ``outputs`` and ``logs`` that belong to this run too, or None.
    """

    def __init__(self, root: str, owner: str, working_directory: str | None) -> None:
        self.root = root
        self.working_directory = working_directory
        self._folder = f"{UPLOADS_FOLDER}/{_folder_name(owner)}"

    def check_free(self, name: str) -> None:
        """Raise NameTaken if an upload has the name already."""
        if os.path.lexists(os.path.join(self.root, self._folder, name)):
            raise NameTaken(name)

    def store(self, name: str, source: PathOrStream) -> Stored:
        """Copy ``source`` in. Exclusive creation makes one winner of several processes that choose one name.

        Raises:
            NameTaken: another upload has the name, or uses it as a folder.
            UserErrorException: there is no such file, or ``source`` is no file at all.
        """
        relative = f"{self._folder}/{name}"
        path = os.path.join(self.root, relative)
        if isinstance(source, (str, os.PathLike)):
            check_is_file(source)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            target = open(path, "xb")  # noqa: SIM115 - entered below, where other errors count
        except (FileExistsError, NotADirectoryError) as error:
            raise NameTaken(name) from error
        try:
            with target:
                size = _copy(source, target)
        except BaseException:
            os.unlink(path)  # so that the script may try again under the same name
            raise
        return Stored(relative, size)


def clean_name(name: str | os.PathLike[str]) -> str:
    """The one spelling of a run file's name: posix, relative, without ``.`` and doubled slashes.

    Raises:
        UserErrorException: the name is empty, absolute or leads upwards.
    """
    text = os.fspath(name).replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or text.startswith("/") or text[1:2] == ":" or ".." in parts or "\0" in text:
        raise UserErrorException(
            f"{text!r} cannot name a file of the run. Use a relative name such as 'outputs/model.pkl'."
        )
    return "/".join(parts)


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Raise UserErrorException unless ``path`` is a file."""
    if os.path.isfile(path):
        return
    if os.path.isdir(path):
        raise UserErrorException(f"{os.fspath(path)!r} is a folder. Use upload_folder().")
    raise UserErrorException(f"There is no file {os.fspath(path)!r} (the script works in {os.getcwd()!r}).")


def files_below(folder: str) -> Iterator[tuple[str, str]]:
    """(posix path below ``folder``, path) of every file, in order; links are followed, but not in circles."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def copy_out(source: str, destination: str) -> None:
    """Copy a run file to where the user wants it, making the folders above."""
    import shutil  # costs several milliseconds, and most scripts never download

    os.makedirs(os.path.dirname(os.path.abspath(destination)), exist_ok=True)
    if not (os.path.exists(destination) and os.path.samefile(source, destination)):
        shutil.copyfile(source, destination)


def _copy(source: PathOrStream, target: IO[bytes]) -> int:
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as stream:
            return _copy(stream, target)
    if not hasattr(source, "read"):
        raise UserErrorException(f"Cannot upload {type(source).__name__}: give a path or an open stream.")
    size = 0
    while chunk := source.read(_CHUNK):
        size += target.write(chunk.encode() if isinstance(chunk, str) else chunk)
    return size


def _folder_name(owner: str) -> str:
    """A folder name for any run id, one to one."""
    safe = "".join(char if char.isalnum() or char in "-_" else f"%{ord(char):02x}" for char in owner)
    return safe or "%"
