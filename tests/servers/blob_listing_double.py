"""A double of blob storage that only lists: made-up blobs by the hundred thousand, in little memory."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

_PAGE = 5000  # as many as the service gives at once
_FOLDER = 1000


def made_up(number: int) -> tuple[str, bytes]:
    """Path and content of a blob."""
    return f"folder{number // _FOLDER:04}/part-{number:06}.bin", bytes([number % 251])


class BlobListingDouble:
    """Answers listing requests as the service does, with real XML a page at a time; nothing else is there.

    :param files: How many blobs each container has.
    """

    def __init__(self, files: int) -> None:
        double = self
        self.others: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                if query.get("comp") != ["list"]:
                    return self.refuse()
                start = int(query.get("marker", ["0"])[0])
                body = "".join(_page(start, files)).encode()
                self.send_response_only(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def refuse(self) -> None:
                if self.command != "HEAD":
                    double.others.append(self.requestline)
                self.send_response_only(404)
                self.send_header("x-ms-error-code", "BlobNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_PUT = do_DELETE = do_POST = refuse

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)

    @property
    def connection_string(self) -> str:
        """What opens the account; any key does."""
        key = base64.b64encode(b"of a double").decode()
        url = f"http://127.0.0.1:{self._server.server_address[1]}/double"
        return f"DefaultEndpointsProtocol=http;AccountName=double;AccountKey={key};BlobEndpoint={url};"

    def __enter__(self) -> BlobListingDouble:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _page(start: int, files: int) -> Iterator[str]:
    end = min(start + _PAGE, files)
    yield '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
    for number in range(start, end):
        path, content = made_up(number)
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        yield (
            f"<Blob><Name>{path}</Name><Properties><Creation-Time>Mon, 01 Jan 2024 00:00:00 GMT"
            f"</Creation-Time><Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified><Etag>0x{number:X}"
            f"</Etag><Content-Length>{len(content)}</Content-Length><Content-Type>application/octet-stream"
            f"</Content-Type><Content-MD5>{md5}</Content-MD5><BlobType>BlockBlob</BlobType><AccessTier>Hot"
            f"</AccessTier><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
            f"</Properties><Metadata /></Blob>"
        )
    yield f"</Blobs><NextMarker>{end if end < files else ''}</NextMarker></EnumerationResults>"
