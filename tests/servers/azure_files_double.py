"""A double of Azure Files' REST interface, on loopback: no emulator has that service.

It answers the requests that AzureFileStore makes through Microsoft's SDK, with the documented headers, status
and error codes: create, read, write, rename and delete files; create, list and delete directories. Names are
compared without case, and dots at their end are cut off unless a request says otherwise. It keeps all in
memory, and of a request's signature it checks only that there is one.
"""

from __future__ import annotations

import itertools
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

ACCOUNT, KEY = "devaccount", "bm90IGEgcmVhbCBrZXk="
PAGE = 100  # entries of a listing; the service's own limit is 5000

_etags = itertools.count(1)
_REFUSED = re.compile(r'["\\:|<>*?\x00-\x1f]')


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class File:
    name: str
    data: bytearray
    metadata: dict[str, str]
    etag: str = field(default_factory=lambda: f'"0x{next(_etags):016X}"')

    def touch(self) -> None:
        self.etag = f'"0x{next(_etags):016X}"'


@dataclass
class Directory:
    name: str
    entries: dict[str, File | Directory] = field(default_factory=dict)


class Share:
    """One share; every method is one request and happens at once."""

    def __init__(self) -> None:
        self.root = Directory("")

    def find(self, path: list[str]) -> File | Directory:
        place: File | Directory = self.root
        for name in path:
            if not isinstance(place, Directory) or name.lower() not in place.entries:
                raise Refusal(404, "ResourceNotFound")
            place = place.entries[name.lower()]
        return place

    def file(self, path: list[str]) -> File:
        found = self.find(path)
        if isinstance(found, Directory):
            raise Refusal(404, "ResourceNotFound")
        return found

    def directory(self, path: list[str]) -> Directory:
        found = self.find(path)
        if isinstance(found, File):
            raise Refusal(409, "ResourceTypeMismatch")
        return found

    def parent(self, path: list[str]) -> Directory:
        if not path or _REFUSED.search("/".join(path)):
            raise Refusal(400, "InvalidResourceName")
        try:
            return self.directory(path[:-1])
        except Refusal:
            raise Refusal(404, "ParentNotFound") from None

    def create_file(self, path: list[str], size: int, metadata: dict[str, str]) -> File:
        parent = self.parent(path)
        if isinstance(parent.entries.get(path[-1].lower()), Directory):
            raise Refusal(409, "ResourceTypeMismatch")
        file = parent.entries[path[-1].lower()] = File(path[-1], bytearray(size), metadata)
        return file

    def write(self, path: list[str], start: int, data: bytes) -> File:
        file = self.file(path)
        if start + len(data) > len(file.data):
            raise Refusal(416, "InvalidRange")
        # A reader has what it was sent, as with a new version of the file.
        file.data[start : start + len(data)] = data
        file.touch()
        return file

    def rename(self, source: list[str], path: list[str], replace: bool, metadata: dict[str, str]) -> File:
        file = self.file(source)
        parent = self.parent(path)
        there = parent.entries.get(path[-1].lower())
        if isinstance(there, Directory):
            raise Refusal(409, "ResourceTypeMismatch")
        if there is not None and not replace:
            raise Refusal(409, "ResourceAlreadyExists")
        del self.parent(source).entries[source[-1].lower()]
        file.name, file.metadata = path[-1], metadata or file.metadata
        file.touch()
        parent.entries[path[-1].lower()] = file
        return file

    def delete_file(self, path: list[str]) -> None:
        self.file(path)
        del self.parent(path).entries[path[-1].lower()]

    def create_directory(self, path: list[str]) -> None:
        parent = self.parent(path)
        if path[-1].lower() in parent.entries:
            raise Refusal(409, "ResourceAlreadyExists")
        parent.entries[path[-1].lower()] = Directory(path[-1])

    def delete_directory(self, path: list[str]) -> None:
        if self.directory(path).entries:
            raise Refusal(409, "DirectoryNotEmpty")
        del self.parent(path).entries[path[-1].lower()]


class AzureFilesDouble(ThreadingHTTPServer):
    """The server; ``url`` is the account's."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.shares: dict[str, Share] = {}
        self.lock = threading.Lock()
        self.lost_answers = 0
        """How many renames from now on are done without the client being told."""
        self.after_reading: Callable[[File], None] | None = None
        """Called with a file of which something was read."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go in the middle of an answer are no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: AzureFilesDouble

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_PUT = do_DELETE = do_GET

    def _handle(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        share, *path = _parts(address.path)
        try:
            if not self.headers.get("Authorization", "").startswith(f"SharedKey {ACCOUNT}:"):
                raise Refusal(403, "AuthenticationFailed")
            with self.server.lock:
                if share not in self.server.shares:
                    raise Refusal(404, "ShareNotFound")
                path = [self._name(name, "x-ms-allow-trailing-dot") for name in path]
                answer = self._act(self.server.shares[share], path, query, body)
        except Refusal as refusal:
            self._send(refusal.status, *_refused(refusal))
        else:
            if query.get("comp") == "rename" and self.server.lost_answers:
                self.server.lost_answers -= 1
                self.close_connection = True
                return
            self._send(*answer)

    def _act(
        self, share: Share, path: list[str], query: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        match (self.command, query.get("restype"), query.get("comp")):
            case ("PUT", "directory", None):
                share.create_directory(path)
                return 201, {}, b""
            case ("DELETE", "directory", None):
                share.delete_directory(path)
                return 202, {}, b""
            case ("GET", "directory", "list"):
                return 200, {"Content-Type": "application/xml"}, _listing(share.directory(path), query)
            case ("PUT", None, None):
                size = int(self.headers["x-ms-content-length"])
                return 201, _facts(share.create_file(path, size, self._metadata())), b""
            case ("PUT", None, "range"):
                start, _ = self._range()
                return 201, _facts(share.write(path, start, body)), b""
            case ("PUT", None, "rename"):
                _, *source = _parts(urlsplit(self.headers["x-ms-file-rename-source"]).path)
                names = [self._name(name, "x-ms-source-allow-trailing-dot") for name in source]
                replace = self.headers.get("x-ms-file-rename-replace-if-exists", "").lower() == "true"
                return 200, _facts(share.rename(names, path, replace, self._metadata())), b""
            case ("HEAD", None, None):
                file = share.file(path)
                return 200, {**_facts(file), "Content-Length": str(len(file.data))}, b""
            case ("GET", None, None):
                file = share.file(path)
                content = self._content(file)
                if self.server.after_reading:
                    self.server.after_reading(file)
                return content
            case ("DELETE", None, None):
                share.delete_file(path)
                return 202, {}, b""
        raise Refusal(400, "UnsupportedQueryParameter")

    def _content(self, file: File) -> tuple[int, dict[str, str], bytes]:
        start, end = self._range()
        if start >= max(len(file.data), 1) or (end is not None and not file.data):
            raise Refusal(416, "InvalidRange")
        part = bytes(file.data[start : None if end is None else end + 1])
        facts = {**_facts(file), "Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(file.data)}"}
        return 206, facts, part

    def _range(self) -> tuple[int, int | None]:
        asked = self.headers.get("x-ms-range") or self.headers.get("Range") or "bytes=0-"
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), int(last) if last else None

    def _name(self, name: str, header: str) -> str:
        return name if self.headers.get(header, "").lower() == "true" else name.rstrip(".")

    def _metadata(self) -> dict[str, str]:
        start = "x-ms-meta-"
        return {
            name.lower()[len(start) :]: value
            for name, value in self.headers.items()
            if name.lower().startswith(start)
        }

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "x-ms-version": "2025-11-05",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _parts(path: str) -> list[str]:
    return unquote(path).strip("/").split("/")  # the SDK writes a directory's slashes as %2F


def _refused(refusal: Refusal) -> tuple[dict[str, str], bytes]:
    what = f"<Code>{refusal.code}</Code><Message>The request was refused.</Message>"
    text = f'<?xml version="1.0" encoding="utf-8"?><Error>{what}</Error>'
    return {"x-ms-error-code": refusal.code, "Content-Type": "application/xml"}, text.encode()


def _facts(file: File) -> dict[str, str]:
    facts = {"ETag": file.etag, "Last-Modified": formatdate(usegmt=True), "x-ms-type": "File"}
    return facts | {f"x-ms-meta-{name}": value for name, value in file.metadata.items()}


def _listing(directory: Directory, query: Mapping[str, str]) -> bytes:
    """A page of a listing, in the order of the service: by name without case."""
    start = int(query.get("marker") or 0)
    entries = sorted(directory.entries.items())
    texts = [_entry(entry, "etag" in query.get("include", "").lower()) for _, entry in entries]
    following = str(start + PAGE) if start + PAGE < len(entries) else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<EnumerationResults ServiceEndpoint="http://127.0.0.1/" ShareName="share" '
        f"DirectoryPath={quoteattr(directory.name)}><Entries>{''.join(texts[start : start + PAGE])}</Entries>"
        f"<NextMarker>{following}</NextMarker></EnumerationResults>"
    ).encode()


def _entry(entry: File | Directory, with_etag: bool) -> str:
    if isinstance(entry, Directory):
        return f"<Directory><Name>{escape(entry.name)}</Name><Properties /></Directory>"
    etag = f"<Etag>{escape(entry.etag)}</Etag>" if with_etag else ""
    size = f"<Content-Length>{len(entry.data)}</Content-Length>"
    return f"<File><Name>{escape(entry.name)}</Name><Properties>{size}{etag}</Properties></File>"


@contextmanager
def azure_files_double() -> Iterator[AzureFilesDouble]:
    """Start a double on a free port, and stop it at the end."""
    server = AzureFilesDouble()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
