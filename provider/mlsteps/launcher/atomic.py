"""Files that are either whole or not there: every record that the launcher writes goes through here."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    StrPath = Union[str, os.PathLike[str]]

TEMPORARY = re.compile(r"\..*\.\d+-[0-9a-f]{12}\.tmp", re.DOTALL)
"""Names of files that are still being written, or were when their writer was killed."""

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)


def write_bytes(path: StrPath, data: bytes, durable: bool = True) -> None:
    """Put ``data`` at ``path``, replacing what is there; a reader sees the old or the new, never a part.

    Missing parent folders are made. Raises ``OSError`` if it cannot be written; nothing is left behind then.
    For ``durable`` see `replacing`.
    """
    with replacing(path, durable) as file:
        file.write(data)


def create_exclusive(path: StrPath, data: bytes) -> bool:
    """Put ``data`` at ``path`` if nothing is there; return whether this call did it.

    Of any number of simultaneous callers exactly one gets True, and no reader sees a part of the content.
    Missing parent folders are made. On a file system without hard links a reader may see a part of the
    content, but still only one caller wins. Raises ``OSError`` if it cannot be written.
    """
    try:
        with _temporary(path) as (temporary, file):
            file.write(data)
            _to_disk(file)
            try:
                # Unlike rename(), link() refuses an existing name; the content is complete already.
                os.link(temporary, path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with open(path, "xb") as target:
                    target.write(data)
                    _to_disk(target)
    except FileExistsError:
        return False
    _sync_folder(path)
    return True


@contextlib.contextmanager
def replacing(path: StrPath, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of ``path`` when the block ends without an error.

    Not ``durable``, it is there at once and survives any kill, but a power cut may leave it empty.
    """
    with _temporary(path) as (temporary, file):
        yield file
        if durable:
            _to_disk(file)
        else:
            file.flush()
        os.replace(temporary, path)
    if durable:
        _sync_folder(path)


@contextlib.contextmanager
def _temporary(path: StrPath) -> Iterator[tuple[str, IO[bytes]]]:
    """Open a new file in the folder of ``path``; remove it afterwards if it still has its temporary name."""
    folder, name = os.path.split(os.path.abspath(os.fspath(path)))
    os.makedirs(folder, exist_ok=True)
    # Cut, as a name may be up to 255 bytes and the suffix must fit as well.
    temporary = os.path.join(folder, f".{name[:60]}.{os.getpid()}-{os.urandom(6).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield temporary, file
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: StrPath) -> None:
    """Make the new name itself survive a power cut, where the file system can do that."""
    with contextlib.suppress(OSError):
        folder = os.open(os.path.dirname(os.path.abspath(os.fspath(path))), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
