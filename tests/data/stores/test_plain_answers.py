"""Answers whose headers are read the plain way: the same as the standard library finds, only sooner."""

from __future__ import annotations

import http.client
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.stores.plain_answers import PlainAnswer

NAMES = st.sampled_from(["Server", "x-ms-copy-status", "ETag", "Content-MD5", "Date", "connection"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc", "Zs"]))


def answered(kind: type[http.client.HTTPResponse], sent: bytes) -> http.client.HTTPResponse:
    """What is made of the bytes that a server sends before it hangs up."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(sent)
        there.shutdown(socket.SHUT_WR)
        answer = kind(here, method="GET")
        answer.begin()
        return answer


def told(answer: http.client.HTTPResponse) -> tuple[Any, ...]:
    return answer.status, answer.reason, answer.length, bool(answer.will_close), answer.read()


def lines(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    return (
        "\r\n".join([status, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")
        + body
    )


@given(
    st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.1 206 Partial Content", "HTTP/1.1 404 ", "HTTP/1.0 200 OK"]),
    st.lists(st.tuples(NAMES, VALUES), unique_by=lambda pair: pair[0].lower()),
    st.binary(max_size=300),
    st.sampled_from(["length", "chunked", "end"]),
)
def test_it_is_what_the_standard_library_finds(
    status: str, headers: list[tuple[str, str]], body: bytes, way: str
) -> None:
    if way == "length":
        headers = [*headers, ("Content-Length", str(len(body)))]
    elif way == "chunked" and "1.1" in status:
        headers = [*headers, ("Transfer-Encoding", "chunked")]
        body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    sent = lines(status, headers, body)
    found, known = answered(PlainAnswer, sent), answered(http.client.HTTPResponse, sent)
    for name, _ in headers:
        assert found.getheader(name) == known.getheader(name)
        assert found.getheader(name.upper()) == known.getheader(name)
    assert found.getheader("absent") is None
    assert told(found) == told(known)


def test_a_server_that_says_go_on_is_heard_to_its_answer() -> None:
    sent = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    answer = answered(PlainAnswer, sent)
    assert told(answer) == (201, "Created", 0, False, b"") and answer.isclosed()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50 + b"c" * 70_000 + b": d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"a%d: b\r\n" % number for number in range(101)) + b"\r\n",
    ],
)
def test_what_is_no_answer_is_an_error(sent: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        answered(PlainAnswer, sent)


def test_a_body_that_breaks_off_is_an_error() -> None:
    answer = answered(PlainAnswer, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
