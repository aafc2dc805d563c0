"""Files into a container before it starts, and one out of it when it has ended, by its engine's own means."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What a script could leave in place of what is asked for must not fill this process's memory.
_MOST_BYTES = 64 << 20


def put_files(api: Any, container: str, folders: Sequence[str], files: Mapping[str, Path], user: str) -> None:
    """Make folders in a container and copy files into them.

    :param files: Files here by their absolute paths there.
    :param user: ``uid:gid``, to whom the folders belong; others may not look into them.
    """
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for folder in folders:
                archive.add(os.curdir, folder.lstrip("/"), recursive=False, filter=_owned(user, 0o700))
            for there, here in files.items():
                archive.add(here.resolve(), there.lstrip("/"), filter=_owned(user, 0o600))
        packed.seek(0)
        api.put_archive(container, "/", packed)


def read_file(api: Any, container: str, path: str) -> bytes | None:
    """What is in a small file of a container, which may have ended; None if there is none, or it is gone.

    What is there may be the script's making: anything but a plain file is none.
    """
    from docker.errors import NotFound

    try:
        stream, _ = api.get_archive(container, path)
    except NotFound:
        return None
    packed = b""
    for piece in stream:
        packed += piece
        if len(packed) > _MOST_BYTES:
            return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.next()
        content = archive.extractfile(member) if member is not None and member.isfile() else None
        return content.read() if content is not None else None


def _owned(user: str, mode: int) -> Any:
    uid, gid = map(int, user.split(":"))

    def change(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid, member.gid, member.mode = uid, gid, mode
        member.uname = member.gname = ""
        return member

    return change
