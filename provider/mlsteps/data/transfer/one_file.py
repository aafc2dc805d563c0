"""Copying one file: by the service if it can, else piece by piece through this machine."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from mlsteps.data.stores.azure_background import BackgroundCopy
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_blocks import block_length
from mlsteps.data.stores.azure_copy import ONE_REQUEST, copy_blob
from mlsteps.data.stores.azure_ranges import ChangedMeanwhile
from mlsteps.data.stores.base import FileInfo
from mlsteps.data.stores.buffers import Data
from mlsteps.data.transfer.identity import MD5_PREFIX, known_content
from mlsteps.data.transfer.listings import Place
from mlsteps.data.transfer.readers import ListedLongAgo, Reader, SourceChanged, gone, reader_of
from mlsteps.data.transfer.work import Work
from mlsteps.data.transfer.writers import LARGE, BlobWriter, FolderWriter, Writer
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import FILE_PREFIX, FileDigest

_PENDING = "pending"


class FileCopier:
    """Copies files of one place to another one."""

    def __init__(self, source: Place, target: Place, work: Work, background: bool = False) -> None:
        self._source = source
        self._target = target
        self._work = work
        self._by_service = True
        self._background = background
        self.pending: list[str] = []

    def uses_all_threads(self, info: FileInfo) -> bool:
        """Whether several threads copy a file of this size; then the caller's own has to wait for them."""
        by_service = self._by_service and isinstance(self._source.store, AzureBlobStore)
        if by_service and isinstance(self._target.store, AzureBlobStore):
            return info.size > ONE_REQUEST
        return info.size > LARGE

    def copy(self, path: str, info: FileInfo) -> None:
        """Copy the file that was listed, as it is now; when this returns it stands there, verified.

        Or it is among those that are ``pending``: the service copies them by itself.

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
        if verified != _PENDING:
            self._work.meter.finished()
            self._work.tally.copied(info.size, verified)

    def _copy(self, path: str, info: FileInfo) -> str:
        self._work.check()
        store, place = self._target.store, self._target.join(path)
        if self._in_background(info) and (state := self._copied_meanwhile(info, place)):
            return state
        if self._copied_by_service(info, place):
            self._work.meter.arrived(info.size)
            return "service"
        if isinstance(store, AzureBlobStore):
            with closing(reader_of(self._source, path, info)) as reader:
                writer = BlobWriter(store, place, reader, self._work.hashing)
                return self._through_here(path, reader, writer)
        local = store.local_path(place)
        if local is not None:
            with closing(reader_of(self._source, path, info)) as reader:
                target = FolderWriter(local, reader.version, reader.size, block_length(reader.size))
                return self._through_here(path, reader, target)
        return self._as_a_whole(path, info)

    def _in_background(self, info: FileInfo) -> bool:
        source, target = self._source.store, self._target.store
        return (
            self._background
            and info.size > ONE_REQUEST
            and isinstance(source, AzureBlobStore)
            and isinstance(target, AzureBlobStore)
            # Within an account a copy is quick.
            and source.endpoint != target.endpoint
            and source.signer.can_sign
            and target.signer.can_sign
        )

    def _copied_meanwhile(self, info: FileInfo, place: str) -> str:
        source, target = self._source.store, self._target.store
        assert isinstance(source, AzureBlobStore) and isinstance(target, AzureBlobStore)
        copy = BackgroundCopy(source, info, target, place)
        try:
            if copy.begin() == "pending":
                self.pending.append(copy.aside)
                return _PENDING
        except (ChangedMeanwhile, FileNotFoundError):
            copy.forget()
            raise ListedLongAgo(source.url(info.path)) from None
        copy.finish(self._work.in_order, self._work.check)
        self._work.meter.arrived(info.size)
        return "service"

    def _copied_by_service(self, info: FileInfo, place: str) -> bool:
        source, target, work = self._source.store, self._target.store, self._work
        if not self._by_service:
            return False
        try:
            if isinstance(source, AzureBlobStore) and isinstance(target, AzureBlobStore):
                done = copy_blob(source, info, target, place, work.in_order, work.check)
            else:
                done = target.copy_here(source, info.path, place)
        except (ChangedMeanwhile, FileNotFoundError):
            raise ListedLongAgo(source.url(info.path)) from None
        self._by_service = done
        return done

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
        """Move all of it; returns the digest of what arrived, and its MD5 if that is known of the source."""
        length = writer.length
        count = -(-reader.size // length)
        known = reader.known or ""
        with_md5 = known.startswith(MD5_PREFIX) and (count <= 1 or writer.reads_back)
        reader.compared = with_md5 or known.startswith(FILE_PREFIX)
        md5: Any = hashlib.md5(usedforsecurity=False)
        chunks: list[bytes] = []
        if count <= 1:
            data = next(self._read(reader, 0, 1, length, length), b"")
            if with_md5:
                md5.update(data)
            chunks += writer.put(0, iter([data]))
            self._work.meter.arrived(len(data))
        else:
            moved = self._in_sequence if reader.in_sequence else self._in_parallel
            for number, hashes in enumerate(moved(reader, writer, length, count)):
                chunks += hashes
                if with_md5:
                    md5.update(writer.read_back(number))
        digest = FileDigest(reader.size, tuple(chunks)).text
        return digest, MD5_PREFIX + md5.hexdigest() if with_md5 else None

    def _in_parallel(self, reader: Reader, writer: Writer, length: int, count: int) -> Iterator[list[bytes]]:
        """Move pieces by all threads, each of which takes some that follow each other."""
        span = max(1, min(reader.span, count // (2 * self._work.parallel)))

        def move(first: int) -> list[list[bytes]]:
            numbers = range(first, min(first + span, count))
            there = {number: writer.there(number) for number in numbers}
            moved = []
            parts: Iterator[Data] | None = None
            for number in numbers:
                hashes = there[number]
                if hashes is not None:
                    parts = None
                else:
                    if parts is None:
                        end = next(
                            (other for other in numbers if other > number and there[other]), numbers.stop
                        )
                        parts = self._read(reader, number, end, length, writer.part or length)
                    hashes = writer.put(number, parts)
                self._work.meter.arrived(min(length, reader.size - number * length))
                moved.append(hashes)
            return moved

        for moved in self._work.in_order(move, range(0, count, span), self._work.parallel):
            yield from moved

    def _in_sequence(self, reader: Reader, writer: Writer, length: int, count: int) -> Iterator[list[bytes]]:
        """Read pieces here, one after the other, and write them by all threads."""

        def move(piece: tuple[int, Data]) -> list[bytes]:
            number, data = piece
            hashes = writer.there(number) or writer.put(number, iter([data]))
            self._work.meter.arrived(len(data))
            return hashes

        return self._work.in_order(move, enumerate(self._read(reader, 0, count, length, length)))

    def _read(self, reader: Reader, first: int, end: int, length: int, part: int) -> Iterator[Data]:
        """Some pieces that follow each other, in parts."""
        start = first * length
        left = min(end * length, reader.size) - start
        parts = reader.read(start, left, part)
        while left > 0:
            self._work.bandwidth.take(min(part, left))
            data = next(parts)
            left -= len(data)
            yield data

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
                f"Writing {self._target.url(path)!r}: what stands there does not have the {reader.size} "
                f"bytes that were written. See that nobody else writes to it."
            )
        return verified if known_content(there) else "size"


class _Damaged(DatastoreException):
    """What arrived is not what the source's store knows of it."""
