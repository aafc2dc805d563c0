"""Fetches inputs to where the script finds them: large files in parts, checked, several at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE, FileDigest
from mlsteps.launcher.parallel import by_threads
from mlsteps.launcher.progress import Progress, sized
from mlsteps.launcher.refusals import RefusedException, UnreachableException, shown
from mlsteps.launcher.web import WrongAnswer

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable, Iterator, Sequence

    from mlsteps.launcher.inputs import InputFile, InputSpec
    from mlsteps.launcher.web import Web

_PART = 2 * CHUNK_SIZE  # of a large file, that one request asks for
_PIECE = 1024 * 1024
_CHANGED = "since the step was planned. Run the pipeline again, so that it is planned with the data of now"


def fetch_inputs(inputs: Sequence[InputSpec], web: Web, say: Callable[[str], None]) -> None:
    """Fetch all files of ``inputs``; they stand as a whole when this returns.

    Raises:
        MlstepsException: Something cannot be fetched, is not what it was, or does not fit on the disk; the
            text names input and file.
        Cancelled: The work was given up.
        OSError: A file cannot be written.
    """
    for spec in inputs:
        _lay_out(spec)
    progress = Progress("input data", sum(spec.size for spec in inputs), say)
    fetcher = _Fetcher(web, progress)
    try:
        for _ in by_threads(fetcher.fetch, _parts(inputs), web.limits.threads):
            pass
    finally:
        fetcher.close()
    progress.end()
    for spec in inputs:
        if not spec.writable:
            _protect(spec)


def fetch_file(address: str, path: str, web: Web, what: str) -> None:
    """Fetch a file of any size to ``path``, which is replaced. Raises as `fetch_inputs`."""

    def take(response: http.client.HTTPResponse) -> None:
        done = 0
        with open(path, "wb") as file:
            while piece := response.read(_PIECE):
                web.check()
                done += len(piece)
                try:
                    file.write(piece)
                except OSError as error:  # of the disk, not of the network
                    raise MlstepsException(f"{what} cannot be written: {error.strerror}") from error
        told = response.getheader("Content-Length", "")
        if told.isdigit() and int(told) != done:
            raise WrongAnswer(f"only {done} of {told} bytes came")

    try:
        web.request("GET", address, take=take)
    except (RefusedException, UnreachableException) as error:
        raise MlstepsException(f"{what} cannot be fetched: {error.message}") from error


class _Arriving:
    """A file on its way."""

    def __init__(self, spec: InputSpec, file: InputFile) -> None:
        self.spec, self.file = spec, file
        self.path = spec.place(file)
        self.chunks: dict[int, list[bytes]] = {}
        self._parts = max(1, -(-file.size // _PART))
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    @property
    def where(self) -> str:
        """Which file of which input, for messages."""
        return f"Input {self.spec.name!r}" + (f", file {self.file.path!r}" if self.file.path else "")

    def descriptor(self) -> int:
        """The open file; made anew when it is first asked for."""
        with self._lock:
            if self._descriptor is None:
                # Whoever wrote what stands there: an earlier try, or the snapshot.
                if os.path.lexists(self.path):
                    os.unlink(self.path)
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            return self._descriptor

    def arrived(self, start: int, chunks: list[bytes]) -> bool:
        """A part stands in the file; whether it was the last one."""
        with self._lock:
            self.chunks[start] = chunks
            return len(self.chunks) == self._parts

    def close(self) -> None:
        """Close it, if it was opened."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _parts(inputs: Sequence[InputSpec]) -> Iterator[tuple[_Arriving, int]]:
    for spec in inputs:
        for file in spec.files:
            arriving = _Arriving(spec, file)  # not before its turn: there may be very many
            for start in range(0, max(1, file.size), _PART):
                yield arriving, start


class _Fetcher:
    """Fetches parts of files, in any thread."""

    def __init__(self, web: Web, progress: Progress) -> None:
        self._web, self._progress = web, progress
        self._of_thread = threading.local()
        self._begun: set[_Arriving] = set()

    def close(self) -> None:
        """Close the files that were not finished."""
        while self._begun:
            self._begun.pop().close()

    def fetch(self, part: tuple[_Arriving, int]) -> None:
        """Fetch a part, and close the file if it was the last one."""
        arriving, start = part
        length = min(_PART, arriving.file.size - start)
        data = self._buffer(length)
        self._get(arriving, start, data)
        chunks = [
            hashlib.sha256(data[begin : begin + CHUNK_SIZE]).digest()
            for begin in range(0, length, CHUNK_SIZE)
        ]
        self._begun.add(arriving)
        try:
            descriptor = arriving.descriptor()
            written = 0
            while written < length:
                written += os.pwrite(descriptor, data[written:], start + written)
        except OSError as error:
            raise _unwritable(arriving, error) from error
        self._progress.add(length)
        if arriving.arrived(start, chunks):
            self._finish(arriving)

    def _buffer(self, length: int) -> memoryview:
        """Room for a part, the same for all parts that this thread fetches."""
        kept: bytearray | None = getattr(self._of_thread, "buffer", None)
        if kept is None or len(kept) < length:
            kept = self._of_thread.buffer = bytearray(length)
        return memoryview(kept)[:length]

    def _get(self, arriving: _Arriving, start: int, data: memoryview) -> None:
        file = arriving.file
        headers = {}
        if file.version is not None:
            headers["If-Match"] = f'"{file.version}"'
        whole = len(data) == file.size
        if not whole:
            headers["Range"] = f"bytes={start}-{start + len(data) - 1}"

        def take(response: http.client.HTTPResponse) -> None:
            told = response.getheader("Content-Length" if whole else "Content-Range", "")
            size = told.rpartition("/")[2]
            if size.isdigit() and int(size) != file.size:
                raise MlstepsException(
                    f"{arriving.where} has {size} bytes instead of {file.size}: it was changed {_CHANGED}"
                )
            if not whole and response.status != 206:
                raise MlstepsException(f"{arriving.where}: the server at {shown(address)} sends no parts")
            done = 0
            while done < len(data):
                self._web.check()
                count = response.readinto(data[done : done + _PIECE])
                if not count:
                    raise WrongAnswer(f"only {done} of {len(data)} bytes came")
                done += count

        address = arriving.spec.address(file)
        try:
            self._web.request("GET", address, headers, take=take)
        except RefusedException as error:
            if error.status in (404, 410):
                raise MlstepsException(
                    f"{arriving.where} was deleted {_CHANGED} ({error.message})"
                ) from error
            if error.status in (412, 416):
                raise MlstepsException(
                    f"{arriving.where} was changed or deleted {_CHANGED} ({error.message})"
                ) from error
            raise MlstepsException(f"{arriving.where} cannot be fetched: {error.message}") from error
        except UnreachableException as error:
            raise MlstepsException(f"{arriving.where} cannot be fetched: {error.message}") from error

    def _finish(self, arriving: _Arriving) -> None:
        arriving.close()
        self._begun.discard(arriving)
        file = arriving.file
        hashes = tuple(chunk for start in sorted(arriving.chunks) for chunk in arriving.chunks[start])
        arriving.chunks.clear()
        if file.digest is not None and FileDigest(file.size, hashes).text != file.digest:
            raise MlstepsException(
                f"{arriving.where} has not the content that its digest says: it was changed {_CHANGED}"
            )


def _lay_out(spec: InputSpec) -> None:
    """Make the folders of an input, once there is room for it."""
    parent = os.path.dirname(spec.path)
    os.makedirs(parent, exist_ok=True)
    status = os.statvfs(parent)
    free = status.f_bavail * status.f_frsize
    if free < spec.size:
        raise MlstepsException(
            f"Input {spec.name!r} does not fit on the disk: it has {sized(spec.size)}, and {sized(free)} are "
            f"free at {parent!r}. Give the compute target more disk, or the step less data"
        )
    if spec.kind == "directory":
        os.makedirs(spec.path, exist_ok=True)
        for folder in {os.path.dirname(spec.place(file)) for file in spec.files}:
            os.makedirs(folder, exist_ok=True)


def _unwritable(arriving: _Arriving, error: OSError) -> MlstepsException:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MlstepsException(
            f"{arriving.where}: the disk is full at {arriving.path!r}. "
            "Give the compute target more disk, or the step less data"
        )
    return MlstepsException(f"{arriving.where} cannot be written: {error.strerror or error}")


def _protect(spec: InputSpec) -> None:
    """Take away the right to write; folders last, and from the inside."""
    folders = set()
    for file in spec.files:
        place = spec.place(file)
        os.chmod(place, 0o444)
        folder = os.path.dirname(place)
        while spec.kind == "directory" and folder not in folders and len(folder) >= len(spec.path):
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, key=len, reverse=True):
        os.chmod(folder, 0o555)
