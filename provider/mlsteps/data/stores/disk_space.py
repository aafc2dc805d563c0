"""Room on a disk for a file that is about to come."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache

_FULL = (errno.ENOSPC, errno.EDQUOT)


def reserve(file: int, size: int) -> None:
    """Make a file as long as it will be, with the room for that: it costs less to write then.

    On file systems that cannot, it only gets its length.

    :param file: Its descriptor.
    :param size: In bytes.
    :raises OSError: the disk, or a quota, has no room for it.
    """
    os.truncate(file, size)
    allocate = _allocate()
    if allocate is not None and size > 0 and allocate(file, 0, 0, size) != 0:
        number = ctypes.get_errno()
        if number in _FULL:
            raise OSError(number, os.strerror(number))


@cache
def _allocate() -> Callable[[int, int, int, int], int] | None:
    """``fallocate`` of Linux. ``os.posix_fallocate`` writes to each block where the file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    found = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if found is None:
        return None
    found.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    found.restype = ctypes.c_int
    call: Callable[[int, int, int, int], int] = found
    return call
