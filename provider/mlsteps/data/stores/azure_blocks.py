"""Moving one file to and from a blob: by blocks, several at a time, checked, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data.stores.azure_account import TRANSFER_SIZE
from mlsteps.data.stores.disk_space import reserve
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher import atomic
from mlsteps.launcher.digest import CHUNK_SIZE, FILE_PREFIX, FileDigest, changed_meanwhile, chunk_hashes
from mlsteps.launcher.parallel import in_order

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, ContentSettings

assert TRANSFER_SIZE == CHUNK_SIZE  # a block is a chunk, so its id can hold the chunk's hash

THREADS = 4
# What Azure takes for one blob.
_MOST_BLOCKS = 50_000
# From here on a file has blocks enough to keep many threads busy, also if they are larger.
_LARGER = 32 * CHUNK_SIZE

Told = Callable[[int], None]


def _nobody(count: int) -> None:
    """For who does not follow the progress."""


def upload_file(
    blob: BlobClient,
    source: Path,
    metadata_of: Callable[[str], Mapping[str, str]],
    *,
    threads: int = THREADS,
    told: Told = _nobody,
) -> str:
    """Upload a local file, which replaces the blob in one moment at the end; returns the file's digest.

    Blocks that an earlier, interrupted upload of the same content left there are not sent again: the id of a
    block tells its place and its content.

    :param metadata_of: Makes the blob's metadata of the digest.
    :param told: Called with the number of bytes whenever some have arrived, from any thread.
    :raises MlstepsException: the file changes meanwhile.
    """
    with source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= CHUNK_SIZE:
            data = file.read(CHUNK_SIZE + 1)
            if len(data) != size:
                raise changed_meanwhile(source)
            told(len(data))
            return upload_bytes(blob, data, metadata_of)
        ids, length = BlockIds(blob), block_length(size)

        def send(start: int) -> tuple[str, list[bytes]]:
            data = os.pread(file.fileno(), min(length, size - start), start)
            if len(data) != min(length, size - start):
                raise changed_meanwhile(source)
            hashed = chunk_hashes(data)
            name = ids.of(start // length, hashed)
            if not ids.is_there(name, len(data)):
                blob.stage_block(name, data, validate_content=True)
            told(len(data))
            return name, hashed

        with ThreadPoolExecutor(threads, thread_name_prefix="blocks") as pool:
            sent = list(in_order(send, range(0, size, length), pool, 2 * threads))
        if os.fstat(file.fileno()).st_size != size:
            raise changed_meanwhile(source)
    digest = FileDigest(size, tuple(chunk for _, chunks in sent for chunk in chunks)).text
    commit_blocks(blob, [name for name, _ in sent], metadata_of(digest))
    return digest


def upload_bytes(
    blob: BlobClient,
    data: bytes,
    metadata_of: Callable[[str], Mapping[str, str]],
    *,
    overwrite: bool = True,
) -> str:
    """Upload a few bytes in one request; returns their digest."""
    from azure.storage.blob import ContentSettings

    digest = FileDigest(len(data), tuple(chunk_hashes(data))).text
    blob.upload_blob(
        data,
        overwrite=overwrite,
        metadata=dict(metadata_of(digest)),
        content_settings=ContentSettings(
            content_md5=bytearray(hashlib.md5(data, usedforsecurity=False).digest())
        ),
        validate_content=True,
    )
    return digest


def download_file(
    blob: BlobClient,
    target: Path,
    digest_in: str,
    *,
    threads: int = THREADS,
    told: Told = _nobody,
) -> None:
    """Download a blob to a local file, which is there when all of it has arrived and is what was sent.

    :param digest_in: The metadata that holds the blob's digest, if it has one: then that is checked.
    :raises DatastoreException: the blob was written meanwhile, or what came is not what its digest says.
    """
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError

    try:
        first = blob.download_blob(offset=0, length=CHUNK_SIZE)
    except HttpResponseError as error:
        if error.status_code != 416:
            raise
        atomic.write_bytes(target, b"", durable=False)  # it is empty, and so has no ranges
        return
    found: BlobProperties = first.properties
    # "bytes 0-4194303/9437184"; the size that is told along is the range's.
    size = int(str(found.content_range).rpartition("/")[2])
    unchanged: dict[str, Any] = {"etag": found.etag, "match_condition": MatchConditions.IfNotModified}
    with atomic.replacing(target, durable=False) as file:
        descriptor = file.fileno()
        reserve(descriptor, size)

        def fetch(start: int) -> bytes:
            length = min(CHUNK_SIZE, size - start)
            here = first if start == 0 else blob.download_blob(offset=start, length=length, **unchanged)
            data: bytes = here.readall()
            if len(data) != length:
                raise DatastoreException(f"Only {len(data)} of {length} bytes of a range came.")
            os.pwrite(descriptor, data, start)
            told(length)
            return hashlib.sha256(data).digest()

        with ThreadPoolExecutor(threads, thread_name_prefix="blocks") as pool:
            chunks = tuple(in_order(fetch, range(0, size, CHUNK_SIZE), pool, 2 * threads))
        recorded = (found.metadata or {}).get(digest_in, "")
        if recorded.startswith(FILE_PREFIX) and recorded != FileDigest(size, chunks).text:
            raise DatastoreException(f"What came of blob {blob.blob_name!r} is not what its digest says.")


class BlockIds:
    """Ids for the blocks of one blob that tell place and content: what is there need not be sent again.

    All ids of a blob have to be of one length, also those that another program has left there.

    :raises DatastoreException: those leave no room for ours.
    """

    def __init__(self, blob: BlobClient) -> None:
        self._waiting = _waiting_blocks(blob)
        self._width = len(next(iter(self._waiting), "0" * 48))
        if self._width < 22:
            raise DatastoreException(
                f"Blob {blob.blob_name!r} has uncommitted blocks of another program, with ids too short for "
                f"ours. Azure drops them a week after they came; or delete the blob."
            )

    def of(self, number: int, hashed: Sequence[bytes]) -> str:
        """The id of a block: its number, and as much of its hash as there is room for.

        :param hashed: The hashes of its chunks, or what else tells it apart.
        """
        tag = hashed[0] if len(hashed) == 1 else hashlib.sha256(b"".join(hashed)).digest()
        return f"{number:05d}-{tag.hex()}"[: self._width].ljust(self._width, "-")

    def is_there(self, name: str, size: int) -> bool:
        """Whether an earlier upload has sent this block already."""
        return self._waiting.get(name) == size


def commit_blocks(
    blob: BlobClient,
    names: Sequence[str],
    metadata: Mapping[str, str],
    settings: ContentSettings | None = None,
) -> None:
    """Make blocks the blob's content, in this order."""
    from azure.storage.blob import BlobBlock, BlockState

    blocks = [BlobBlock(name, BlockState.LATEST) for name in names]
    blob.commit_block_list(blocks, metadata=dict(metadata), content_settings=settings)


def block_length(size: int, *, streamed: bool = False) -> int:
    """Bytes of each block of a file: a chunk, or so many chunks that the blocks are few enough.

    :param streamed: Whether a block needs no memory of its length. Then those of a large file are of two
        chunks, which takes the service less time than twice as many.
    """
    fewest = 2 if streamed and size >= _LARGER else 1
    return CHUNK_SIZE * max(fewest, -(-size // (CHUNK_SIZE * _MOST_BLOCKS)))


def _waiting_blocks(blob: BlobClient) -> dict[str, int]:
    from azure.core.exceptions import HttpResponseError

    try:
        _, uncommitted = blob.get_block_list("uncommitted")
    except HttpResponseError:
        return {}  # there is no such blob; and otherwise all is sent
    return {str(block.id): block.size for block in uncommitted}
