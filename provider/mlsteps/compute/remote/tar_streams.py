"""Trees of files, as tar streams from and to programs on the other machine."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from paramiko import Channel

_CHUNK = 1 << 16


class TarOutput:
    """The standard output of a program, for reading a tar stream."""

    def __init__(self, channel: Channel, tick: Callable[[], None]) -> None:
        self._channel, self._tick = channel, tick

    def read(self, size: int) -> bytes:
        self._tick()
        data = bytearray()
        while len(data) < size and (piece := self._channel.recv(size - len(data))):
            data += piece
        return bytes(data)


class _Input:
    """The standard input of a program, for writing a tar stream."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def write(self, data: bytes) -> int:
        self._channel.sendall(data)
        return len(data)


def pack(channel: Channel, source: Path, paths: Sequence[Path]) -> None:
    """Write a folder's paths to a program as a tar stream, and close its standard input."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    try:
        with tarfile.open(fileobj=_Input(channel), mode="w|", bufsize=_CHUNK, dereference=True) as archive:  # type: ignore[call-overload]
            for path in paths:
                archive.add(path, path.relative_to(source).as_posix(), recursive=False, filter=plain)
        channel.shutdown_write()
    except Exception:  # then the other side says what is wrong, or the channel is closed
        channel.close()


def unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one file of a tar stream below a folder.

    :raises ComputeTargetException: it is something else, or would lie elsewhere.
    """
    path = os.path.normpath(member.name)
    if os.path.isabs(path) or path.startswith("..") or not member.isfile():
        raise ComputeTargetException(f"The machine sent {member.name!r}, which is no file of the job.")
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    content: IO[bytes] | None = archive.extractfile(member)
    assert content is not None
    place.unlink(missing_ok=True)
    with place.open("wb") as file:
        while data := content.read(1 << 20):
            file.write(data)
