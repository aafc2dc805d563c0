"""Copying one file: by the service if it can, else piece by piece through this machine."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_blocks import block_length
from mlsteps.data.stores.base import FileInfo
from mlsteps.data.transfer.identity import MD5_PREFIX, known_content
from mlsteps.data.transfer.listings import Place
from mlsteps.data.transfer.readers import ListedLongAgo, Reader, SourceChanged, gone, reader_of
from mlsteps.data.transfer.work import Work
from mlsteps.data.transfer.writers import BlobWriter, FolderWriter, Writer
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import FILE_PREFIX, FileDigest


class FileCopier:
    """Copies files of one place to another one."""

    def __init__(self, source: Place, target: Place, work: Work) -> None:
        self._source = source
        self._target = target
        self._work = work

    def copy(self, path: str, info: FileInfo) -> None:
        """Copy the file that was listed, as it is now; when this returns it stands there, verified.

        :raises SourceChanged: it was written to meanwhile; nothing of it is left at the destination.
        :raises DataNotFoundException: it is gone.
        """
        try:
            verified = self._copy(path, info)
        except ListedLongAgo:
            now = self._source.stat(path)
            if now is None:
                raise gone(self._source.url(path)) from None
            try:
                verified = self._copy(path, now)
            except ListedLongAgo as error:
                raise SourceChanged(
                    f"{error.message!r} changes all the time: something writes to it."
                ) from None
        self._work.meter.finished()
        self._work.tally.copied(info.size, verified)

    def _copy(self, path: str, info: FileInfo) -> str:
        self._work.check()
        store, place = self._target.store, self._target.join(path)
        if isinstance(store, AzureBlobStore):
            with closing(reader_of(self._source, path, info)) as reader:
                return self._through_here(path, reader, BlobWriter(store, place, reader.size))
        local = store.local_path(place)
        if local is not None:
            with closing(reader_of(self._source, path, info)) as reader:
                writer = FolderWriter(local, reader.version, reader.size, block_length(reader.size))
                return self._through_here(path, reader, writer)
        return self._as_a_whole(path, info)

    def _through_here(self, path: str, reader: Reader, writer: Writer) -> str:
        discard = True
        try:
            digest, md5 = self._pieces(reader, writer)
            reader.finish()
            verified = self._verify(path, reader.known, digest, md5) or writer.checked
            self._work.check()
            writer.commit(digest)
        except (SourceChanged, ListedLongAgo, _Damaged):
            raise
        except BaseException:
            discard = False
            raise
        finally:
            writer.close(discard)
        return verified

    def _pieces(self, reader: Reader, writer: Writer) -> tuple[str, str | None]:
        """Move all of it; returns the digest of what arrived, and its MD5 if that can be told."""
        length = block_length(reader.size)
        work = self._work
        only = reader.size <= length
        md5: Any = hashlib.md5(usedforsecurity=False) if (reader.known or "").startswith(MD5_PREFIX) else None

        def read(number: int) -> bytes:
            count = min(length, reader.size - number * length)
            work.bandwidth.take(count)
            return reader.read(number * length, count)

        def move(piece: tuple[int, bytes | None]) -> list[bytes]:
            number, data = piece
            work.check()
            hashes = None if only else writer.there(number)
            if hashes is None:
                if data is None:
                    data = read(number)
                if only and md5:
                    md5.update(data)
                hashes = writer.put(number, data)
            work.meter.arrived(min(length, reader.size - number * length))
            return hashes

        def pieces() -> Iterator[tuple[int, bytes | None]]:
            for number in range(max(1, -(-reader.size // length))):
                yield number, read(number) if reader.in_sequence else None

        if only:
            chunks = move(next(pieces()))
        else:
            chunks = []
            for number, hashes in enumerate(work.in_order(move, pieces())):
                chunks += hashes
                if md5 and (back := writer.read_back(number)) is not None:
                    md5.update(back)
                elif md5:
                    md5 = None
        text = FileDigest(reader.size, tuple(chunks)).text
        return text, MD5_PREFIX + md5.hexdigest() if md5 else None

    def _verify(self, path: str, known: str | None, digest: str, md5: str | None) -> str:
        """How what arrived was found to be what the source's store knows; empty if it knows nothing."""
        for name, prefix, found in (("digest", FILE_PREFIX, digest), ("md5", MD5_PREFIX, md5)):
            if known and known.startswith(prefix) and found:
                if found != known:
                    raise _Damaged(
                        f"{self._source.url(path)!r} does not have the {name} that its store tells of it: "
                        f"either what was stored is damaged, or what came was. Nothing of it was kept."
                    )
                return name
        return ""

    def _as_a_whole(self, path: str, info: FileInfo) -> str:
        """To a store that takes whole files of this machine only: from a copy, which nobody writes to."""
        store, place = self._target.store, self._target.join(path)
        with ExitStack() as stack:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlsteps-transfer-"))) / "file"
            reader = stack.enter_context(closing(reader_of(self._source, path, info)))
            writer = FolderWriter(copy, "", reader.size, block_length(reader.size))
            verified = self._through_here(path, reader, writer)
            store.put_file(copy, place)
        there = store.stat(place)
        if there is None or there.size != reader.size:
            raise DatastoreException(
                f"Writing {self._target.url(path)!r}: what stands there does not have the {reader.size} bytes "
                f"that were written. See that nobody else writes to it."
            )
        return verified if known_content(there) else "size"


class _Damaged(DatastoreException):
    """What arrived is not what the source's store knows of it."""
