"""A full disk in words: whose data did not fit, where, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mlsteps.exceptions import ComputeTargetException


@contextmanager
def telling_of_full_disk(what: str) -> Iterator[None]:
    """Tell whose data a disk, or a quota, has no room for.

    :param what: Such as ``Input 'data'``.
    :raises ComputeTargetException: it has none.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        at = f" at {str(error.filename)!r}" if error.filename else ""
        raise ComputeTargetException(
            f"{what} does not fit on the disk: {error.strerror}{at}. Free some space there, or let the "
            f"worker use another disk: scratch of the compute target, or the workspace's folder."
        ) from error
