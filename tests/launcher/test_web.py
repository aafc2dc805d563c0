"""Requests are made again when that may help, through proxies where there are some, and end when told to."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.places import Place, WebLimits
from mlsteps.launcher.redaction import conceal, redacted
from mlsteps.launcher.refusals import RefusedException, UnreachableException, expires_at
from mlsteps.launcher.web import Cancelled, Web

from .plain_store import plain_store

QUICK = WebLimits(threads=1, attempts=3, pause_seconds=0.01, timeout_seconds=0.3)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_connection_is_kept() -> None:
    with plain_store() as store:
        web = Web(QUICK)
        web.request("PUT", f"{store.url}/a", body=b"1")
        first = web._connections.get("http", store.url.partition("//")[2])
        assert web.request("GET", f"{store.url}/a").body == b"1"
        again = web._connections.get("http", store.url.partition("//")[2])
        assert first[0] is again[0] and again[3]


@pytest.mark.parametrize("form", ["seconds", "time"])
def test_a_server_may_say_when_to_come_back(form: str) -> None:
    with plain_store() as store:
        store.failures = 1
        store.retry_after = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
        begin = time.monotonic()
        Web(QUICK).request("PUT", f"{store.url}/a", body=b"1")
        assert 0.9 < time.monotonic() - begin < 5


def test_a_pause_ends_when_the_work_is_given_up() -> None:
    with plain_store() as store:
        store.failures, store.retry_after = 1, "60"
        cancelled = threading.Event()
        threading.Timer(0.2, cancelled.set).start()
        begin = time.monotonic()
        with pytest.raises(Cancelled):
            Web(QUICK, cancelled).request("PUT", f"{store.url}/a", body=b"1")
        assert time.monotonic() - begin < 5


def test_what_is_not_there_is_not_asked_for_again() -> None:
    with plain_store() as store:
        with pytest.raises(RefusedException, match="nothing at this address") as caught:
            Web(QUICK).request("GET", f"{store.url}/none?sig=abcdefghij")
        assert caught.value.status == 404 and len(store.lines) == 1
        assert "abcdefghij" not in str(caught.value)


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = "127.0.0.1:{1}".format(*unused.getsockname())
        with pytest.raises(UnreachableException, match=f"{address}/a: the connection failed: .*3 times"):
            Web(QUICK).request("GET", f"http://{address}/a?sig=abcdefghij")


def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://127.0.0.1:{1}/".format(*silent.getsockname())
        with pytest.raises(UnreachableException, match="did not answer in time, though it was tried 2 times"):
            Web(replace(QUICK, attempts=2)).request("GET", url)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_store() as proxy, plain_store() as store:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:p%40ss@"))
        Web(QUICK).request("PUT", "http://store.example.com/a?b=c", body=b"1")
        assert proxy.lines == ["PUT http://store.example.com/a?b=c HTTP/1.1"]
        headers = {name.lower(): value for name, value in proxy.headers[0].items()}
        assert headers["host"] == "store.example.com"
        assert headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        Web(QUICK).request("PUT", f"{store.url}/a", body=b"1")
        assert len(proxy.lines) == 1 and len(store.lines) == 1
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
        with pytest.raises(UserErrorException, match="must be http://host:port"):
            Web(QUICK).request("GET", "http://store.example.com/a")


def test_what_is_encrypted_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", "http://me:pass@127.0.0.1:{1}".format(*proxy.getsockname()))
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(10_000))
                connection.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(UnreachableException, match="407"):
            Web(replace(QUICK, attempts=1)).request("GET", "https://store.example.com/a?sig=abcdefghij")
        assert asked[0].startswith(b"CONNECT store.example.com:443 ")
        assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in asked[0] and b"abcdefghij" not in asked[0]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_has_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with plain_store(context) as store:
        with pytest.raises(UnreachableException, match="certificate is not trusted.*SSL_CERT_FILE"):
            Web(QUICK).request("PUT", f"{store.url}/a", body=b"1")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        Web(QUICK).request("PUT", f"{store.url}/a", body=b"1")
        assert store.files == {"/a": b"1"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://h/c/b?sv=1&sig=abc%2B: no", "at https://h/c/b?*** no"),
        ("'https://h/c?X-Amz-Signature=abc'", "'https://h/c?***'"),
        ("se=2026&sig=abc%3D&sp=r", "se=2026&sig=***&sp=r"),
        ("https://me:secret@h/simple", "https://***@h/simple"),
        ("X-Amz-Security-Token=abc/def", "X-Amz-Security-Token=***"),
        ("what? nothing=to hide", "what? nothing=to hide"),
    ],
)
def test_signatures_do_not_show(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_a_query_that_is_known_does_not_show_in_any_form() -> None:
    conceal("token=0a1b2c3d4e")
    assert redacted("asked with token=0a1b2c3d4e.") == "asked with ***."


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("se=1970-01-01T01%3A00%3A00Z&sig=a", 3600),
        ("se=1970-01-01T01:00:00.0000000Z", 3600),
        ("se=1970-01-02&sig=a", 86400),
        ("X-Amz-Date=19700101T010000Z&X-Amz-Expires=60", 3660),
        ("X-Goog-Date=19700101T010000Z&X-Goog-Expires=60", 3660),
        ("Expires=77&Signature=a", 77),
        ("se=soon", None),
        ("", None),
    ],
)
def test_an_address_tells_when_it_expires(query: str, seconds: float | None) -> None:
    assert expires_at(f"https://h/c?{query}") == seconds


def test_places_are_below_each_other() -> None:
    place = Place("https://h/c", "sig=abc")
    assert place.below("ä b/c%?.txt").address == "https://h/c/%C3%A4%20b/c%25%3F.txt?sig=abc"
    assert place.below("").address == "https://h/c?sig=abc"
    with pytest.raises(UserErrorException, match="https://"):
        Place("ftp://h/c")
    with pytest.raises(UserErrorException, match="'query'") as caught:
        Place("https://h/c?sig=abcdefgh")
    assert "abcdefgh" not in str(caught.value)
