"""The few requests that a transfer makes by the thousand, without what the SDK costs for each: most of it.

A request is made once, on a connection that is kept, and signed with the account's key, or for its container
by who has none. Whatever goes wrong with it, be it a refusal, a busy service or a broken connection, is left
to the SDK: whoever calls asks that again, which tries again where that helps and tells what is wrong where it
does not.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import ssl
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from mlsteps.data.stores.azure_account import RetryLimits
from mlsteps.data.stores.azure_signing import Signer
from mlsteps.data.stores.buffers import Buffers, Data
from mlsteps.data.stores.plain_answers import PlainAnswer

if TYPE_CHECKING:
    from mlsteps.data.stores.base import FileInfo

_VERSION = "2021-12-02"
_BROKEN = (OSError, http.client.HTTPException)


class QuickRequests:
    """Requests to one container; any number of threads may make them.

    :param url: Of the container.
    """

    def __init__(self, url: str, container: str, signer: Signer, limits: RetryLimits) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._secure = parts.scheme == "https"
        self._container = container
        self._signer = signer
        self._key = signer.key
        self._limits = limits
        self._process = os.getpid()
        self._idle: list[http.client.HTTPConnection] = []
        self._buffers = Buffers()
        # What goes by way of a proxy is better left to who knows all about them.
        proxied = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(self._host)
        self.works = not proxied and signer.can_sign
        self._context = _trusting() if self._secure else None

    def pieces(self, name: str, info: FileInfo, start: int, length: int, piece: int) -> Iterator[memoryview]:
        """Bytes of a version of a blob, in pieces; fewer of them where something goes wrong.

        A piece is true until this thread asks for the next one: they share their memory.
        """
        headers = {"If-Match": f'"{info.version}"'}
        if length != info.size:
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        try:
            with self._answer("GET", name, headers) as answer:
                if answer.status not in (200, 206) or answer.length != length:
                    return
                for at in range(0, length, piece):
                    data = self._buffers.of(min(piece, length - at))
                    filled = 0
                    while filled < len(data):
                        came = answer.readinto(data[filled:])
                        if not came:
                            return
                        filled += came
                    yield data
        except _BROKEN:
            return

    def listing(self, prefix: str, marker: str) -> bytes | None:
        """A page of the listing of all blobs whose names begin so, as XML; None if it did not come.

        :param marker: Empty for the first page.
        """
        query = {"restype": "container", "comp": "list", "include": "metadata"}
        query |= {"prefix": prefix} if prefix else {}
        query |= {"marker": marker} if marker else {}
        try:
            with self._answer("GET", "", {}, query=urlencode(query, quote_via=quote)) as answer:
                return answer.read() if answer.status == 200 else None
        except _BROKEN:
            return None

    def put(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> bool:
        """Write a blob; whether that is known to have worked."""
        headers = {"x-ms-blob-type": "BlockBlob"} | {
            f"x-ms-meta-{key}": text for key, text in metadata.items()
        }
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        headers |= {"Content-MD5": _text(md5), "Content-Length": str(len(data))}
        return self._done(201, name, headers, [data])

    def put_block(self, name: str, block: str, parts: Iterable[Data], length: int, md5: bytes) -> bool:
        """Send a block for a blob, which a list of blocks is to name; whether that is known to have worked.

        :param block: Its id, as the SDK takes it.
        :param length, md5: Of all parts together; the service refuses others.
        """
        query = {"comp": "block", "blockid": base64.b64encode(block.encode()).decode()}
        headers = {"Content-MD5": _text(md5), "Content-Length": str(length)}
        return self._done(201, name, headers, parts, urlencode(query))

    def copy(self, name: str, source: str, tag: str) -> bool:
        """Copy a version of a blob; whether that is known to have worked.

        :param source: Where the service reads it, with a signature.
        """
        headers = {
            "x-ms-requires-sync": "true",
            "x-ms-copy-source": source,
            "x-ms-source-if-match": f'"{tag}"',
            "Content-Length": "0",
        }
        return self._done(202, name, headers, [])

    def _done(
        self, status: int, name: str, headers: Mapping[str, str], data: Iterable[Data], query: str = ""
    ) -> bool:
        try:
            with self._answer("PUT", name, headers, data, query) as answer:
                answer.read()
                return answer.status == status and answer.getheader("x-ms-copy-status") in (None, "success")
        except _BROKEN:
            return False

    @contextmanager
    def _answer(
        self,
        verb: str,
        name: str,
        headers: Mapping[str, str],
        data: Iterable[Data] | None = None,
        query: str = "",
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request; its connection is kept if all of it was read."""
        path = f"{self._path}{name and '/'}{quote(name, safe='/~')}"
        headers = {"x-ms-version": _VERSION, **headers}
        if self._key:
            headers = self._key.sign(verb, path, query, headers)
        else:
            signature = self._signer.container(self._container, write=verb != "GET")
            query = f"{query}&{signature}" if query else signature
        connection = self._connection()
        answer = None
        try:
            connection.request(verb, f"{path}?{query}" if query else path, data, headers)
            answer = connection.getresponse()
            yield answer
        finally:
            # Also where whoever takes pieces has all of them and does not ask for more.
            if answer is not None and answer.isclosed() and connection.sock:
                self._idle.append(connection)
            else:
                connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._process != os.getpid():  # forked: those connections are the parent's
            self._process, self._idle = os.getpid(), []
        try:
            return self._idle.pop()
        except IndexError:
            timeout = self._limits.read
            connection: http.client.HTTPConnection
            if self._context:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=timeout, context=self._context
                )
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
            connection.response_class = PlainAnswer
            return connection


def _text(md5: bytes) -> str:
    return base64.b64encode(md5).decode()


def _trusting() -> ssl.SSLContext:
    """Trust whom the SDK trusts, which asks requests."""
    import certifi

    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
