"""Writing to stores: what each kind of store wants to be asked, in a few verbs that are the same for all."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Union

    from mlsteps.launcher.places import Place
    from mlsteps.launcher.web import Web

    Data = Union[bytes, memoryview]

DIGEST_KEY = "mlstepsdigest"
"""Metadata that hold a blob's digest; the stores of ``mlsteps.data`` read them under this name."""

_AZURE_VERSION = "2021-12-02"
_ID_LENGTH = 48


class Writer(Protocol):
    """Writes files to one kind of store.

    ``takes_blocks`` tells whether a file can be written in blocks, and committed; else it is written by one
    request, however large.
    """

    takes_blocks: bool

    def put(self, web: Web, place: Place, data: Data, digest: str | None = None) -> None:
        """Write a file that is small, or not to be written in blocks."""

    def put_stream(self, web: Web, place: Place, size: int, read: Callable[[], Iterable[bytes]]) -> None:
        """Write a file of ``size`` bytes; ``read`` gives them from the start, for each attempt anew."""

    def put_block(self, web: Web, place: Place, name: str, data: Data) -> None:
        """Write a block, which is not seen before it is committed."""

    def commit(self, web: Web, place: Place, names: Sequence[str], digest: str | None = None) -> None:
        """Make blocks the content of a file, in this order."""


class AzureBlobWriter:
    """Block blobs of Azure Storage, addressed by a shared access signature."""

    takes_blocks = True

    def put(self, web: Web, place: Place, data: Data, digest: str | None = None) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", **_marked(digest), **_checked(data)}
        self._send(web, place, "", headers, data)

    def put_stream(self, web: Web, place: Place, size: int, read: Callable[[], Iterable[bytes]]) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Length": str(size)}
        self._send(web, place, "", headers, read)

    def put_block(self, web: Web, place: Place, name: str, data: Data) -> None:
        self._send(web, place, f"comp=block&blockid={_percent(_encoded(name))}", {}, data)

    def commit(self, web: Web, place: Place, names: Sequence[str], digest: str | None = None) -> None:
        listed = "".join(f"<Latest>{_encoded(name)}</Latest>" for name in names)
        text = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
        self._send(web, place, "comp=blocklist", _marked(digest), text.encode())

    def _send(
        self,
        web: Web,
        place: Place,
        query: str,
        headers: Mapping[str, str],
        body: Data | Callable[[], Iterable[bytes]],
    ) -> None:
        url = "?".join(filter(None, (place.url, "&".join(filter(None, (query, place.query))))))
        web.request("PUT", url, {"x-ms-version": _AZURE_VERSION, **headers}, body)


class PlainWriter:
    """Any server that takes a file by PUT, as at a presigned address. It is told nothing but the bytes."""

    takes_blocks = False

    def put(self, web: Web, place: Place, data: Data, digest: str | None = None) -> None:
        web.request("PUT", place.address, {}, data)

    def put_stream(self, web: Web, place: Place, size: int, read: Callable[[], Iterable[bytes]]) -> None:
        web.request("PUT", place.address, {"Content-Length": str(size)}, read)

    def put_block(self, web: Web, place: Place, name: str, data: Data) -> None:
        raise NotImplementedError("this store takes no blocks")

    def commit(self, web: Web, place: Place, names: Sequence[str], digest: str | None = None) -> None:
        raise NotImplementedError("this store takes no blocks")


_WRITERS: dict[str, Writer] = {"azure_blob": AzureBlobWriter(), "plain": PlainWriter()}


def writer_for(place: Place) -> Writer:
    """Who speaks the dialect of a place."""
    return _WRITERS[place.dialect]


def block_name(number: int, tag: str) -> str:
    """The name of a block: its number and what tells its content apart; all are equally long."""
    return f"{number:05d}-{tag}"[:_ID_LENGTH].ljust(_ID_LENGTH, "-")


def _encoded(name: str) -> str:
    return base64.b64encode(name.encode()).decode()


def _percent(text: str) -> str:
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def _marked(digest: str | None) -> dict[str, str]:
    return {f"x-ms-meta-{DIGEST_KEY}": digest} if digest else {}


def _checked(data: Data) -> dict[str, str]:
    """What lets the store see that it got what was sent; it keeps it with the blob."""
    try:
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
    except ValueError:  # a Python that may not
        return {}
    return {"Content-MD5": base64.b64encode(md5).decode()}
