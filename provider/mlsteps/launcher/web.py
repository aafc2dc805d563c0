"""HTTP as stores need it: connections that are kept, requests that are made again, refusals in words."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlsteps.launcher import refusals
from mlsteps.launcher.connections import Connections
from mlsteps.launcher.places import WebLimits
from mlsteps.launcher.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Union

    Body = Union[bytes, memoryview, None]
    Take = Callable[[http.client.HTTPResponse], None]

_PASSING = frozenset((408, 429, 500, 502, 503, 504))
_LONGEST_PAUSE = 30.0
_LONGEST_ASKED = 120.0  # of the pauses that a server may ask for


class Cancelled(Exception):
    """The work was given up because the job has to end."""


class WrongAnswer(Exception):
    """What came is not what was asked for; raised by who reads an answer, and the request is made again."""


@dataclass(frozen=True)
class Answer:
    """What a server said: its status, its headers by lower-case name, and the body unless it was taken."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Web:
    """Makes requests from any number of threads, each over connections of its own.

    Args:
        limits: How often to try, and how long to wait; None is as usual.
        cancelled: When set, no further request is begun and no pause waited for.
    """

    def __init__(self, limits: WebLimits | None, cancelled: threading.Event | None = None) -> None:
        self.limits = limits or WebLimits()
        self.cancelled = cancelled or threading.Event()
        self._connections = Connections(self.limits.timeout_seconds)

    def check(self) -> None:
        """Raise `Cancelled` if the work was given up."""
        if self.cancelled.is_set():
            raise Cancelled

    def request(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] | None = None,
        body: Body | Callable[[], Iterable[bytes]] = None,
        take: Take | None = None,
    ) -> Answer:
        """Make a request, again if that may help, and return the answer to it.

        Args:
            method: Such as ``PUT``.
            address: URL with its signature. It appears in no error.
            headers: Further ones.
            body: What is sent; a function gives it anew for each attempt, with its length in ``headers``.
            take: Reads the body of a good answer. It may be called more than once, each time from the start.

        Raises:
            RefusedException: The server says no; the text tells why, as far as that is known.
            UnreachableException: It could not be reached, or was too busy, each time.
            Cancelled: The work was given up.
        """
        problem = ""
        for attempt in range(self.limits.attempts):
            self.check()
            pause = min(_LONGEST_PAUSE, self.limits.pause_seconds * 2.0**attempt)
            pause = random.uniform(pause / 2, pause)
            try:
                answer = self._once(method, address, headers or {}, body, take)
            except WrongAnswer as error:
                problem = str(error)
            except (OSError, http.client.HTTPException) as error:
                if refusals.is_final(error):
                    raise refusals.unreachable(address, refusals.words_for(error), 1) from None
                problem = refusals.words_for(error)
            else:
                if answer.status < 300:
                    return answer
                if answer.status not in _PASSING:
                    raise refusals.refused(address, answer)
                problem = f"the server answered {answer.status} {refusals.code_of(answer)}".rstrip()
                pause = max(pause, _asked_pause(answer.headers.get("retry-after", "")))
            if attempt + 1 < self.limits.attempts and self.cancelled.wait(pause):
                raise Cancelled
        raise refusals.unreachable(address, redacted(problem), self.limits.attempts)

    def _once(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: Body | Callable[[], Iterable[bytes]],
        take: Take | None,
    ) -> Answer:
        parts = urlsplit(address)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        while True:
            connection, prefix, further, used = self._connections.get(parts.scheme, parts.netloc)
            try:
                content = body() if callable(body) else body
                if content is None and method == "PUT":
                    content = b""
                try:
                    connection.request(method, prefix + target, content, {**further, **headers})
                except (BrokenPipeError, ConnectionResetError):
                    if used:
                        raise
                    # A server that refuses may say so and hang up before everything was sent.
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self._connections.drop(parts.scheme, parts.netloc)
                early = (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected)
                if used and isinstance(error, early):
                    continue  # a connection that was kept may have been closed by the server meanwhile
                raise
            break
        whole = False
        try:
            data = b""
            if take is not None and response.status < 300:
                take(response)
            else:
                data = response.read()
            whole = response.isclosed() or not response.read(1)
        finally:
            if not whole or response.will_close:
                self._connections.drop(parts.scheme, parts.netloc)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)


def _asked_pause(text: str) -> float:
    """The pause that a server asks for, in seconds or by the time when it ends."""
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return max(0.0, min(seconds, _LONGEST_ASKED))
