"""A double of Kubernetes' API server, on loopback: none can be had where we develop.

It answers the requests that Airflow's Kubernetes provider and its trigger make (pods: create, read, list,
watch, log, delete; events: list, watch), with the documented paths, status codes and bodies, and asks for
its token. There is one node, and what happens on it is real: see ``pods_in_docker``. Not there: init
containers, config maps, secrets, quotas, admission, updates of pods, more than one node.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from servers.docker_engine import DockerEngine
from servers.pods_in_docker import Node, Plain, PodInDocker, now

_TOKEN = "token-of-the-double"
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 410: "Expired"}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class KubernetesDouble(ThreadingHTTPServer):
    """The server; its switches may be turned at any time.

    :param engine: Where containers run.
    """

    daemon_threads = True

    def __init__(self, engine: DockerEngine) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.node = Node()
        self.forbidden: set[tuple[str, str]] = set()
        """Verb and resource, such as ``("create", "pods")``, that the user may not use."""
        self.requests: list[tuple[str, str]] = []
        self.created: list[Plain] = []
        """Every pod that was ever created, as it was asked for."""
        self._engine = engine
        self._pods: dict[tuple[str, str], PodInDocker] = {}
        self._history: list[tuple[int, str, str, Plain]] = []  # version, kind, type of change, object
        self._version = 1
        self._oldest = 0
        self._changes = threading.Condition(threading.RLock())

    @property
    def kube_config(self) -> Plain:
        """A kubeconfig for it."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "double", "cluster": {"server": self.url}}],
            "users": [{"name": "double", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
            "current-context": "double",
        }

    # Switches

    def evict(self, name: str, message: str = "The node was low on resource: memory.") -> None:
        """End a pod as a kubelet does that runs out of something."""
        self._named(name).end(0.0, "Evicted", message)

    def forget_history(self) -> None:
        """Let a watch from any earlier version be told 410."""
        with self._changes:
            self._oldest = self._version

    def pod_names(self) -> list[str]:
        with self._changes:
            return [name for _, name in self._pods]

    # The API, as the requests call it

    def create_pod(self, namespace: str, manifest: Plain) -> Plain:
        name = manifest["metadata"]["name"]
        if manifest["spec"].get("initContainers"):
            raise Refusal(422, "the double has no init containers")
        with self._changes:
            if (namespace, name) in self._pods:
                raise Refusal(409, f'pods "{name}" already exists')
            self.created.append(copy.deepcopy(manifest))
            facts = {"namespace": namespace, "uid": f"uid-{self._version}", "creationTimestamp": now()}
            manifest["metadata"] = {**manifest["metadata"], **facts}
            pod = PodInDocker(
                manifest,
                self._engine,
                self.node,
                lambda: self._changed("MODIFIED", manifest),
                lambda *told: self._tell(manifest, *told),
            )
            self._pods[namespace, name] = pod
            self._changed("ADDED", manifest)
            made = copy.deepcopy(manifest)
        pod.start()
        return made

    def pod(self, namespace: str, name: str) -> PodInDocker:
        with self._changes:
            if (namespace, name) not in self._pods:
                raise Refusal(404, f'pods "{name}" not found')
            return self._pods[namespace, name]

    def delete_pod(self, namespace: str, name: str, grace: float | None) -> Plain:
        pod = self.pod(namespace, name)
        if grace is None:
            grace = float(pod.spec.get("terminationGracePeriodSeconds", 30))
        with self._changes:
            ending = "deletionTimestamp" in pod.manifest["metadata"]
            pod.manifest["metadata"]["deletionTimestamp"] = now()
        pod.end(grace)
        if not ending:
            threading.Thread(target=self._remove, args=(namespace, name, pod), daemon=True).start()
        return pod.manifest

    def objects(self, kind: str, namespace: str, query: Mapping[str, str]) -> list[Plain]:
        with self._changes:
            if kind == "pods":
                found = [pod.manifest for (place, _), pod in self._pods.items() if place == namespace]
            else:
                found = [one for _, name, change, one in self._history if (name, change) == (kind, "ADDED")]
            return [copy.deepcopy(one) for one in found if _selected(one, query)]

    def watch(self, kind: str, query: Mapping[str, str]) -> Iterator[Plain]:
        """Changes since a version, until the time is up."""
        end = time.monotonic() + float(query.get("timeoutSeconds", 30))
        with self._changes:
            version = int(query.get("resourceVersion") or self._oldest)
            if 0 < version < self._oldest:
                yield {"type": "ERROR", "object": _status(410, "too old resource version")}
                return
        while time.monotonic() < end:
            with self._changes:
                self._changes.wait(0.1)
                new = [entry for entry in self._history if entry[0] > version]
            for number, name, change, one in new:
                version = number
                if name == kind and _selected(one, query):
                    yield {"type": change, "object": one}

    @property
    def version(self) -> str:
        return str(self._version)

    def close(self) -> None:
        """End and remove all pods."""
        with self._changes:
            pods = dict(self._pods)
        for pod in pods.values():
            pod.end(0.0)
        for pod in pods.values():
            pod.join()
            pod.clear()

    def _named(self, name: str) -> PodInDocker:
        return next(pod for (_, other), pod in self._pods.items() if other == name)

    def _remove(self, namespace: str, name: str, pod: PodInDocker) -> None:
        pod.join()
        pod.clear()
        with self._changes:
            del self._pods[namespace, name]
            self._changed("DELETED", pod.manifest)

    def _tell(self, manifest: Plain, kind: str, reason: str, message: str) -> None:
        meta = manifest["metadata"]
        involved = {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
        event = {
            "metadata": {"name": f"{meta['name']}.{self._version}", "namespace": meta["namespace"]},
            **{"involvedObject": involved, "type": kind, "reason": reason, "message": message},
            **{"firstTimestamp": now(), "lastTimestamp": now(), "count": 1},
        }
        self._changed("ADDED", event, "events")

    def _changed(self, change: str, one: Plain, kind: str = "pods") -> None:
        with self._changes:
            self._version += 1
            one["metadata"]["resourceVersion"] = str(self._version)
            self._history.append((self._version, kind, change, copy.deepcopy(one)))
            self._changes.notify_all()


class _Requests(BaseHTTPRequestHandler):
    server: KubernetesDouble
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
            if self.headers.get("Authorization") != f"Bearer {_TOKEN}":
                raise Refusal(401, "Unauthorized")
            if words[:3] != ["api", "v1", "namespaces"] or words[4:5] not in (["pods"], ["events"]):
                raise Refusal(404, f"the double has no {parts.path}")
            answer(words[3], words[4], words[5:], dict(parse_qsl(parts.query)), json.loads(text or b"{}"))
        except Refusal as refusal:
            self._send(refusal.status, _status(refusal.status, refusal.message))

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


def _status(code: int, message: str) -> Plain:
    facts = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**facts, "message": message, "reason": _REASONS.get(code, "BadRequest"), "code": code}


def _selected(one: Mapping[str, Any], query: Mapping[str, str]) -> bool:
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


@contextmanager
def kubernetes_double(engine: DockerEngine) -> Iterator[KubernetesDouble]:
    """Start a double on a free port; at the end it stops, and removes its pods."""
    server = KubernetesDouble(engine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        server.shutdown()
        server.server_close()
        thread.join()
