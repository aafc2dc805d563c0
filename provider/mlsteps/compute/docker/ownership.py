"""Who a script in a container is, and that the folders of its job are that user's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from mlsteps.exceptions import ComputeTargetException

_USER = re.compile(r"(\d+)(?::(\d+))?")


def checked_user(where: str, user: object) -> str | None:
    """``uid:gid`` from a setting; None is the worker's own.

    :raises ComputeTargetException: it is something else, such as a name, which only the image knows.
    """
    if user is None:
        return None
    found = _USER.fullmatch(str(user))
    if found is None:
        raise ComputeTargetException(
            f"{where}: user is 'uid:gid' in numbers, such as '1000:1000', got {user!r}."
        )
    return f"{found[1]}:{found[2] or found[1]}"


def worker_user() -> str:
    """This process's own."""
    return f"{os.getuid()}:{os.getgid()}"


def give_to(where: str, user: str, folders: Iterable[Path]) -> None:
    """Make everything in these folders a user's, who otherwise could not write there.

    :raises ComputeTargetException: this process may not.
    """
    if user == worker_user():
        return
    if os.getuid() != 0:
        raise ComputeTargetException(
            f"{where}: user {user} is not the worker's own ({worker_user()}), and only root can give it the "
            f"folders of its job. Leave user out."
        )
    uid, gid = map(int, user.split(":"))
    for top in folders:
        os.chown(top, uid, gid)
        for folder, folders_in_it, files in os.walk(top):
            for name in (*folders_in_it, *files):
                os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)
