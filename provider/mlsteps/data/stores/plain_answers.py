"""Answers of a web server whose headers are read by no more than they need."""

from __future__ import annotations

import http.client
import io

_LONGEST_LINE = 65536
_MOST_HEADERS = 100


class PlainAnswer(http.client.HTTPResponse):
    """An answer of a service that speaks HTTP/1.1 as everybody does today.

    The standard library has its package for mail read the headers, which takes longer than all else that a
    small file costs.

    :raises http.client.HTTPException: it is no such answer.
    """

    fp: io.BufferedReader
    debuglevel: int

    def begin(self) -> None:
        """Read the beginning, up to the body."""
        status = 100
        while status == 100:  # the service only says that it goes on reading
            version, _, rest = self._line().partition(" ")
            code, _, self.reason = rest.partition(" ")
            if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isdecimal():
                raise http.client.BadStatusLine(f"{version} {rest}")
            status = int(code)
            found = self._headers()
        self._found = found
        self.code = self.status = status
        self.version = 11 if version == "HTTP/1.1" else 10
        self.headers = self.msg = http.client.HTTPMessage()  # whoever asks for these has no business here
        self._measure(found)

    def _measure(self, found: dict[str, str]) -> None:
        """How long the body is, and whether another answer can follow."""
        self.chunked = found.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        length = found.get("content-length", "")
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        if self.status in (204, 304):
            self.length = 0
        ends = self.length is not None or self.chunked
        self.will_close = not ends or self.version == 10 or "close" in found.get("connection", "").lower()

    def getheader(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """A header's value."""
        return self._found.get(name.lower(), default)

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while line := self._line():
            name, colon, value = line.partition(":")
            if not colon or len(found) >= _MOST_HEADERS:
                raise http.client.HTTPException(f"{line!r} is no header")
            found[name.lower()] = value.strip()
        return found

    def _line(self) -> str:
        line = self.fp.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line)
        return line.decode("latin-1").rstrip()
