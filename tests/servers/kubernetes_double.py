"""A double of Kubernetes' API server, on loopback: none can be had where we develop.

It answers the requests that Airflow's Kubernetes provider and its trigger make (pods: create, read, list,
watch, log, delete; events: list, watch), with the documented paths, status codes and bodies, and asks for
its token. There is one node, and what happens on it is real: see ``pods_in_docker``. Not there: init
containers, config maps, secrets, quotas, admission, updates of pods, more than one node.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from servers.docker_engine import DockerEngine
from servers.kubernetes_node import Node, Plain
from servers.kubernetes_requests import TOKEN, Refusal, Requests, failure, selected
from servers.pods_in_docker import PodInDocker, now


class KubernetesDouble(ThreadingHTTPServer):
    """The server; its switches may be turned at any time.

    :param engine: Where containers run.
    """

    daemon_threads = True

    def __init__(self, engine: DockerEngine) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.node = Node()
        self.forbidden: set[tuple[str, str]] = set()
        """Verb and resource, such as ``("create", "pods")``, that the user may not use."""
        self.service_accounts = {"default"}
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
            "users": [{"name": "double", "user": {"token": TOKEN}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
            "current-context": "double",
        }

    # Switches

    def evict(self, name: str, message: str = "The node was low on resource: memory.") -> None:
        """End a pod as a kubelet does that runs out of something."""
        self._named(name).end(0.0, "Evicted", message)

    def run_out_of_memory(self, name: str) -> None:
        """Kill a pod's containers as the kernel does when they use more memory than they may."""
        pod = self._named(name)
        pod.out_of_memory = True
        pod.end(0.0)

    def lose_node_of(self, name: str) -> None:
        """Let nobody end a pod any more, as where its machine is gone; only deletion without grace does."""
        self._named(name).lost = True

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
        account = manifest["spec"].get("serviceAccountName") or "default"
        if account not in self.service_accounts:
            told = f'looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise Refusal(403, f'pods "{name}" is forbidden: error {told}')
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
        if pod.lost and grace:
            with self._changes:
                pod.manifest["metadata"]["deletionTimestamp"] = now(grace)
                self._changed("MODIFIED", pod.manifest)
            return pod.manifest
        with self._changes:
            ending = "deletionTimestamp" in pod.manifest["metadata"] and not pod.lost
            pod.manifest["metadata"]["deletionTimestamp"] = now(grace)
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
            return [copy.deepcopy(one) for one in found if selected(one, query)]

    def watch(self, kind: str, query: Mapping[str, str]) -> Iterator[Plain]:
        """Changes since a version, until the time is up."""
        end = time.monotonic() + float(query.get("timeoutSeconds", 30))
        with self._changes:
            version = int(query.get("resourceVersion") or self._oldest)
            if 0 < version < self._oldest:
                yield {"type": "ERROR", "object": failure(410, "too old resource version")}
                return
        while time.monotonic() < end:
            with self._changes:
                self._changes.wait(0.1)
                new = [entry for entry in self._history if entry[0] > version]
            for number, name, change, one in new:
                version = number
                if name == kind and selected(one, query):
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
