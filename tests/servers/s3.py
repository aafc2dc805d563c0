"""S3 on loopback, as moto plays it, with buckets that nobody else uses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import s3fs
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.s3.models import s3_backends

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class S3Server:
    """A running server; ``options`` open it with s3fs.

    moto looks whether an object exists and writes it then, without a lock between; S3 is one. So requests
    that write are let in one after the other.
    """

    def __init__(self, server: ThreadedMotoServer) -> None:
        self.url = "http://{}:{}".format(*server.get_host_and_port())
        self.options = {"key": KEY, "secret": SECRET, "endpoint_url": self.url}
        self.without_conditions = False
        self._writing = threading.Lock()
        web = server._server
        assert web is not None
        self._application: Application = web.app
        web.app = self._answer

    @property
    def backend(self) -> Any:
        """What moto holds, to fill it without requests."""
        return s3_backends["123456789012"]["aws"]

    def bucket(self) -> str:
        """Make a new bucket."""
        name = f"bucket-{uuid4().hex}"
        s3fs.S3FileSystem(**self.options).call_s3("create_bucket", Bucket=name)
        return name

    def _answer(self, request: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        if self.without_conditions:  # as services that speak S3 of the time before them
            request.pop("HTTP_IF_NONE_MATCH", None)
        if request["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._application(request, respond)
        with self._writing:
            return self._application(request, respond)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start a server on a free port, and stop it at the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield S3Server(server)
    finally:
        server.stop()
