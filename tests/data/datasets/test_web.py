"""Files on the web, from a server that is slow, breaks off, or refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlsteps import Dataset
from mlsteps.data.datasets import files_of
from mlsteps.data.datasets.web import WebFile
from mlsteps.exceptions import DataNotFoundException, DatastoreException

CONTENT = bytes(range(256)) * 1000


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT`` at any path; the tests say how badly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.busy = 0  # answers 503 so many times
        self.breaks = 0  # breaks off after half of what is left, so many times
        self.head = True
        self.ranges = True
        self.tag: str | None = '"1"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.command, wanted))
        if self.path.startswith("/gone") or not (server.head or body) or server.busy:
            status = 404 if self.path.startswith("/gone") else 403 if not (server.head or body) else 503
            server.busy = max(0, server.busy - 1)
            self.send_error(status)
            return
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        if server.tag:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        if not body:
            return
        if server.breaks:
            server.breaks -= 1
            self.wfile.write(CONTENT[start : start + (len(CONTENT) - start) // 2])
            return
        self.wfile.write(CONTENT[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("mlsteps.data.datasets.web._PAUSE", 0.01)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def content(url: str) -> bytes:
    file = WebFile(url)
    return file.read(file.path)


def test_a_file_on_the_web_is_downloaded_by_its_name(server: Server, tmp_path: Path) -> None:
    dataset = Dataset.File.from_files(f"{server.url}/data/a%20b.bin?sig=geheim")
    ((_, info, relative),) = files_of(dataset)
    assert (info.size, info.content, relative) == (len(CONTENT), 'etag:"1"', "a b.bin")
    assert dataset.download(tmp_path) == [str(tmp_path / "a b.bin")]
    assert (tmp_path / "a b.bin").read_bytes() == CONTENT


def test_several_have_host_and_path(server: Server) -> None:
    dataset = Dataset.File.from_files([f"{server.url}/x/1.bin", f"{server.url}/y/1.bin"])
    host = server.url.removeprefix("http://")
    assert dataset.to_path() == [f"/{host}/x/1.bin", f"/{host}/y/1.bin"]


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.busy = 2
    assert WebFile(f"{server.url}/x").stat(WebFile(f"{server.url}/x").path) is not None
    assert len(server.asked) == 3
    server.busy = 99
    with pytest.raises(DatastoreException, match=r"/x: HTTP status 503 Service Unavailable\.") as raised:
        content(f"{server.url}/x?sig=geheim")
    assert raised.value.status == 503
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_stream_that_breaks_off_goes_on_where_it_was(server: Server, ranges: bool) -> None:
    server.breaks, server.ranges = 3, ranges
    assert content(f"{server.url}/x") == CONTENT
    assert server.asked[1] == ("GET", f"bytes={len(CONTENT) // 2}-")


def test_a_stream_that_always_breaks_off_is_an_error(server: Server) -> None:
    server.breaks, server.ranges = 999, False
    with pytest.raises(DatastoreException, match="/x: the answer breaks off"):
        content(f"{server.url}/x")


def test_a_file_that_changes_while_it_is_read_is_an_error(server: Server) -> None:
    server.breaks = 1
    file = WebFile(f"{server.url}/x")
    with file.open(file.path) as stream:
        stream.read(10)
        server.tag = '"2"'
        with pytest.raises(DatastoreException, match="was changed while it was read"):
            stream.read()


def test_a_server_may_know_no_head(server: Server) -> None:
    server.head = False
    file = WebFile(f"{server.url}/x")
    info = file.stat(file.path)
    assert info is not None and info.size == len(CONTENT)


def test_a_file_that_is_not_there_is_named_without_its_query(server: Server) -> None:
    with pytest.raises(DataNotFoundException, match=r"file 'http://127.0.0.1:\d+/gone' is not there"):
        Dataset.File.from_files(f"{server.url}/gone?sig=geheim").to_path()
    with pytest.raises(FileNotFoundError, match="/gone is not there: HTTP status 404") as raised:
        content(f"{server.url}/gone?sig=geheim")
    assert "geheim" not in str(raised.value)


def test_a_host_that_does_not_answer_is_an_error_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlsteps.data.datasets.web._PAUSE", 0.01)
    url = "http://127.0.0.1:9/x?sig=geheim"
    with pytest.raises(DatastoreException, match=r"http://127.0.0.1:9/x: ConnectionRefusedError") as raised:
        content(url)
    assert "geheim" not in str(raised.value) + repr(WebFile(url))


def test_it_is_one_file_that_can_only_be_read(tmp_path: Path) -> None:
    file = WebFile("https://example.com/x")
    assert file.stat("y") is None
    with pytest.raises(FileNotFoundError, match="https://example.com/x is one file; there is no 'y'"):
        file.open("y")
    for write in (
        lambda: file.write("x", b""),
        lambda: file.create("x", b""),
        lambda: file.put_file(tmp_path, "x"),
        lambda: file.delete("x"),
    ):
        with pytest.raises(DatastoreException, match="https://example.com/x is a file on the web"):
            write()
