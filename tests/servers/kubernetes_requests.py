"""The requests that the tests' double of Kubernetes understands: paths, status codes and bodies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from servers.kubernetes_node import Plain
from servers.pods_in_docker import PodInDocker

TOKEN = "token-of-the-double"
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 410: "Expired"}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Requests(BaseHTTPRequestHandler):
    """One connection to a ``KubernetesDouble``."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answered(self._get)

    def do_POST(self) -> None:
        self._answered(self._post)

    def do_DELETE(self) -> None:
        self._answered(self._delete)

    def _get(self, namespace: str, kind: str, rest: list[str], query: dict[str, str], body: Plain) -> None:
        if not rest and query.get("watch") in ("true", "True"):
            self._allowed("watch", kind)
            self._stream(json.dumps(one).encode() + b"\n" for one in self.server.watch(kind, query))
        elif not rest:
            self._allowed("list", kind)
            items = self.server.objects(kind, namespace, query)
            name = "PodList" if kind == "pods" else "EventList"
            meta = {"resourceVersion": self.server.version}
            self._send(200, {"kind": name, "apiVersion": "v1", "metadata": meta, "items": items})
        elif rest[1:] == ["log"]:
            self._allowed("get", "pods/log")
            self._log(self.server.pod(namespace, rest[0]), query)
        else:
            self._allowed("get", kind)
            self._send(200, self.server.pod(namespace, rest[0]).manifest)

    def _post(self, namespace: str, kind: str, rest: list[str], query: dict[str, str], body: Plain) -> None:
        self._allowed("create", kind)
        self._send(201, self.server.create_pod(namespace, body))

    def _delete(self, namespace: str, kind: str, rest: list[str], query: dict[str, str], body: Plain) -> None:
        self._allowed("delete", kind)
        grace = query.get("gracePeriodSeconds", body.get("gracePeriodSeconds"))
        self._send(200, self.server.delete_pod(namespace, rest[0], None if grace is None else float(grace)))

    def _log(self, pod: PodInDocker, query: Mapping[str, str]) -> None:
        container = query.get("container") or pod.spec["containers"][0]["name"]
        if not pod.is_started(container):
            raise Refusal(400, f'container "{container}" is waiting to start: ContainerCreating')
        true = ("true", "True")
        since = time.time() - int(query["sinceSeconds"]) if "sinceSeconds" in query else None
        printed = pod.log(container, query.get("follow") in true, query.get("timestamps") in true, since)
        self._stream(printed, "text/plain")

    def _answered(self, answer: Callable[..., None]) -> None:
        parts = urlsplit(self.path)
        self.server.requests.append((self.command, parts.path))
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            words = parts.path.strip("/").split("/")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "Unauthorized")
            if words[:3] != ["api", "v1", "namespaces"] or words[4:5] not in (["pods"], ["events"]):
                raise Refusal(404, f"the double has no {parts.path}")
            answer(words[3], words[4], words[5:], dict(parse_qsl(parts.query)), json.loads(text or b"{}"))
        except Refusal as refusal:
            self._send(refusal.status, failure(refusal.status, refusal.message))

    def _allowed(self, verb: str, resource: str) -> None:
        if (verb, resource) in self.server.forbidden:
            raise Refusal(403, f'{resource} is forbidden: User "double" cannot {verb} resource "{resource}"')

    def _send(self, status: int, answer: Plain) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, pieces: Iterator[bytes], kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(ConnectionError):
            for piece in pieces:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def failure(code: int, message: str) -> Plain:
    """The body of an answer that is an error."""
    facts = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**facts, "message": message, "reason": _REASONS.get(code, "BadRequest"), "code": code}


def selected(one: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether an object is one that a query's selectors of labels and fields mean."""
    labels = one["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        key, _, value = term.partition("!=" if "!=" in term else "=")
        if (labels.get(key) == value.lstrip("=")) == ("!=" in term):
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        key, _, value = term.partition("=")
        found: Any = one
        for word in key.split("."):
            found = (found or {}).get(word)
        if found != value.lstrip("="):
            return False
    return True
