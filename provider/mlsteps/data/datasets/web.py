"""One file on the web, as a store that can be read: with retries, and no secret of its URL in any text."""

from __future__ import annotations

import builtins
import email.message
import io
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from mlsteps.data.datasets.sources import without_secrets
from mlsteps.data.stores.base import FileInfo
from mlsteps.data.stores.read_only import ReadOnlyStore
from mlsteps.exceptions import DatastoreException

_TRIES = 4
_PAUSE = 0.5  # seconds before the first retry; each further one waits twice as long
_TIMEOUT = 60  # seconds without a byte
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class WebFile(ReadOnlyStore):
    """A store with one file, the one at ``url``; its path is the host and path of the URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        names = f"{host}/{unquote(parts.path)}".split("/")
        self.path = "/".join(name for name in names if name not in ("", ".", ".."))

    def __repr__(self) -> str:
        return f"WebFile({without_secrets(self._url)!r})"

    def url(self, path: str) -> str:
        return without_secrets(self._url)

    def stat(self, path: str) -> FileInfo | None:
        if path != self.path:
            return None
        try:
            headers = self._headers()
        except FileNotFoundError:
            return None
        tag = headers.get("ETag")
        size = headers.get("Content-Length")
        known = int(size) if size is not None and not headers.get("Content-Encoding") else self._counted()
        return FileInfo(path, known, content=f"etag:{tag}" if tag else None)

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        found = self.stat(self.path) if f"{self.path}/".startswith(f"{prefix}/" if prefix else "") else None
        yield from [found] if found else []

    def list_names(self, folder: str = "") -> builtins.list[str]:
        return [self.path] if not folder else []

    def open(self, path: str) -> BinaryIO:
        if path != self.path:
            raise FileNotFoundError(f"{self.url('')} is one file; there is no {path!r}")
        return cast("BinaryIO", io.BufferedReader(_Stream(self), 1 << 20))

    def request(self, method: str, offset: int = 0, tag: str | None = None) -> Any:
        """The server's answer, after retries.

        :param offset: The first byte wanted; ``tag`` is the version of which it is wanted.
        :raises FileNotFoundError: there is no such file.
        :raises DatastoreException: the server refuses or does not answer.
        """
        headers = {"User-Agent": "mlsteps", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if offset and tag:
            headers["If-Range"] = tag
        pause = _PAUSE
        for attempt in range(1, _TRIES + 1):
            request = urllib.request.Request(self._url, headers=headers, method=method)
            try:
                return urllib.request.urlopen(request, timeout=_TIMEOUT)
            except urllib.error.HTTPError as error:
                status, reason = error.code, f"HTTP status {error.code} {error.reason}"
                error.close()
                if status in (404, 410):
                    raise FileNotFoundError(f"{self.url('')} is not there: {reason}") from None
                if status not in _PASSING or attempt == _TRIES:
                    raise self._failed(reason, status) from None
            # A reason may quote the URL, so of other errors only the kind is told.
            except (urllib.error.URLError, OSError, HTTPException) as error:
                if attempt == _TRIES:
                    raise self._failed(_kind(error)) from None
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def broken_off(self, error: BaseException | None) -> DatastoreException:
        """The error for an answer that ends too early, again and again."""
        return self._failed(f"the answer breaks off ({_kind(error)})" if error else "the answer breaks off")

    def _headers(self) -> email.message.Message:
        try:
            with self.request("HEAD") as answer:
                return cast("email.message.Message", answer.headers)
        except DatastoreException as error:
            # Signed URLs and some servers allow GET only.
            if error.status not in (400, 403, 405, 501):
                raise
        with self.request("GET") as answer:
            return cast("email.message.Message", answer.headers)

    def _counted(self) -> int:
        with self.open(self.path) as stream:
            return sum(len(block) for block in iter(lambda: stream.read(1 << 20), b""))

    def _failed(self, reason: str, status: int | None = None) -> DatastoreException:
        hint = {401: " It needs credentials.", 403: " It is not public, or its signature has expired."}
        return DatastoreException(f"Cannot read {self.url('')}: {reason}.{hint.get(status or 0, '')}", status)

    def read_only(self) -> DatastoreException:
        return DatastoreException(f"{self.url('')} is a file on the web: it can only be read.")


class _Stream(io.RawIOBase):
    """The bytes of a web file, asked for again from where they broke off."""

    def __init__(self, file: WebFile) -> None:
        self._file = file
        self._position = 0
        self._left = _TRIES
        self._answer = file.request("GET")
        self._tag = self._answer.headers.get("ETag")
        size = self._answer.headers.get("Content-Length")
        self._size = None if size is None else int(size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            broken: BaseException | None = None
            try:
                count = self._answer.readinto(buffer)
            except (OSError, HTTPException) as error:
                count, broken = 0, error
            if count:
                self._position += count
                self._left = _TRIES
                return int(count)
            complete = self._size is None or self._position >= self._size
            if broken is None and (complete or not len(buffer)):
                return 0
            self._resume(broken)

    def close(self) -> None:
        self._answer.close()
        super().close()

    def _resume(self, broken: BaseException | None) -> None:
        self._answer.close()
        self._left -= 1
        if not self._left:
            raise self._file.broken_off(broken)
        self._answer = self._file.request("GET", self._position, self._tag)
        if self._answer.headers.get("ETag") != self._tag:
            raise DatastoreException(f"{self._file.url('')} was changed while it was read: read it again.")
        if self._position and self._answer.status != 206:  # the server gives it from the start
            missing = self._position
            while missing and (skipped := self._answer.read(min(missing, 1 << 20))):
                missing -= len(skipped)


def _kind(error: BaseException | None) -> str:
    cause = getattr(error, "reason", None)
    shown = cause if isinstance(cause, BaseException) else error
    told = getattr(shown, "strerror", None)
    return f"{type(shown).__name__}: {told}" if told else type(shown).__name__
