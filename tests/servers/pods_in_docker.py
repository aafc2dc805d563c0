"""Pods of the tests' double of Kubernetes: their containers are real ones, in the tests' Docker engine.

What a kubelet and a scheduler do to a pod that is created happens here in a thread for each pod: it waits for
a node that fits, looks for the image, starts the containers with the limits that are asked for, and notes how
they end. ``kubernetes_double`` puts it behind the API server's paths.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from servers.docker_engine import DockerEngine
from servers.kubernetes_node import Node, Plain, quantity

POD_LABEL = "mlsteps.tests.pod"
_SUCCEEDED, _FAILED = "Succeeded", "Failed"


def now(later: float = 0.0) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%SZ")


class PodInDocker:
    """One pod, from its creation to its end.

    :param manifest: As it was created; its ``status`` is kept up to date.
    :param changed: Called after each change of the status.
    :param tell: Called with type, reason and text of each event.
    """

    def __init__(
        self,
        manifest: Plain,
        engine: DockerEngine,
        node: Node,
        changed: Callable[[], None],
        tell: Callable[[str, str, str], None],
    ) -> None:
        self.manifest = manifest
        self._engine, self._node, self._changed, self._tell = engine, node, changed, tell
        self._containers: dict[str, str] = {}
        self._ending = threading.Event()
        self._told_end: tuple[str, str] | None = None
        self._grace: float | None = None
        self.lost = False
        self.out_of_memory = False
        self._folder = tempfile.TemporaryDirectory(prefix="mlsteps-pod-", ignore_cleanup_errors=True)
        self.manifest["status"] = {"phase": "Pending", "conditions": [], "startTime": now()}
        self._thread = threading.Thread(target=self._live, name=manifest["metadata"]["name"], daemon=True)

    @property
    def spec(self) -> Plain:
        found: Plain = self.manifest["spec"]
        return found

    def start(self) -> None:
        self._thread.start()

    def end(self, grace: float, reason: str | None = None, message: str = "") -> None:
        """End its containers: SIGTERM, and SIGKILL after ``grace`` seconds. Returns at once."""
        if reason is not None:
            self._told_end = (reason, message)
        self._grace = grace
        self._ending.set()

    def join(self) -> None:
        self._thread.join(60)

    def is_started(self, container: str) -> bool:
        return container in self._containers

    def log(self, container: str, follow: bool, timestamps: bool, since: float | None) -> Iterator[bytes]:
        """What a container printed."""
        with self._engine.client() as client:
            found = client.containers.get(self._containers[container])
            yield from found.logs(stream=True, follow=follow, timestamps=timestamps, since=since)

    def _live(self) -> None:
        try:
            with self._engine.client() as client:
                if self._wait_for_node() and self._wait_for_images(client):
                    self._run(client)
        except Exception as error:
            self._status(phase=_FAILED, reason="StartError", message=str(error))
        self._status(**self._as_told())

    def clear(self) -> None:
        """Remove its containers and what they wrote."""
        with self._engine.client() as client:
            for container in self._containers.values():
                with contextlib.suppress(Exception):
                    client.api.remove_container(container, force=True, v=True)
        self._folder.cleanup()

    def _wait_for_node(self) -> bool:
        told = None
        while not self._ending.is_set():
            why_not = self._node.why_not(self.spec)
            if why_not is None:
                self._status(conditions=[{"type": "PodScheduled", "status": "True"}])
                self._tell("Normal", "Scheduled", "Successfully assigned the pod to node-1")
                return True
            if why_not != told:
                condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
                self._status(conditions=[{**condition, "message": why_not}])
                self._tell("Warning", "FailedScheduling", why_not)
                told = why_not
            self._ending.wait(0.1)
        return False

    def _wait_for_images(self, client: Any) -> bool:
        from docker.errors import ImageNotFound

        waits = itertools.chain(["ErrImagePull"], itertools.repeat("ImagePullBackOff"))
        while not self._ending.is_set():
            missing = ""
            for container in self.spec["containers"]:
                try:
                    client.images.get(container["image"])
                except ImageNotFound:
                    missing = container["image"]
            if not missing:
                return True
            reason = next(waits)
            message = f'failed to pull image "{missing}": not found'
            if reason == "ImagePullBackOff":
                message = f'Back-off pulling image "{missing}"'
            self._containers_are({"waiting": {"reason": reason, "message": message}})
            self._tell("Warning", "Failed", message)
            self._ending.wait(0.5)
        return False

    def _run(self, client: Any) -> None:
        from docker.errors import APIError

        for container in self.spec["containers"]:
            made = client.api.create_container(**self._settings(client, container))["Id"]
            self._containers[container["name"]] = made
            try:
                client.api.start(made)
            except APIError as error:
                ended = {"exitCode": 128, "reason": "StartError", "message": str(error.explanation)}
                self._containers_are({"terminated": ended}, _FAILED)
                return
            self._tell("Normal", "Started", f"Started container {container['name']}")
        self._containers_are({"running": {"startedAt": now()}}, "Running")
        deadline = time.monotonic() + (self.spec.get("activeDeadlineSeconds") or 10**6)
        killed: float | None = None
        while True:
            states = {
                name: client.api.inspect_container(one)["State"] for name, one in self._containers.items()
            }
            if not any(state["Running"] for state in states.values()):
                break
            if time.monotonic() > deadline and not self._ending.is_set():
                self.end(1.0, "DeadlineExceeded", "Pod was active on the node longer than the deadline")
            if self._ending.is_set():
                if killed is None:
                    if not self.out_of_memory:
                        self._signal(client, "SIGTERM")
                    killed = time.monotonic() + (self._grace or 0.0)
                elif time.monotonic() > killed:
                    self._signal(client, "SIGKILL")
            time.sleep(0.05)
        statuses = [
            self._status_of(name, _ended(state, self._last_words(client, name), self.out_of_memory))
            for name, state in states.items()
        ]
        fine = all(state["ExitCode"] == 0 for state in states.values())
        # In one change: who sees a pod that was evicted as failed sees why.
        phase = _SUCCEEDED if fine else _FAILED
        self._status(**{"phase": phase, "containerStatuses": statuses, **self._as_told()})

    def _as_told(self) -> Plain:
        """How it ended, where somebody ended it who said why."""
        if self._told_end is None:
            return {}
        return {"phase": _FAILED, "reason": self._told_end[0], "message": self._told_end[1]}

    def _last_words(self, client: Any, name: str) -> str:
        """The end of its log, where a pod asks for that."""
        policy = next(
            one.get("terminationMessagePolicy") for one in self.spec["containers"] if one["name"] == name
        )
        if policy != "FallbackToLogsOnError":
            return ""
        printed: bytes = client.api.logs(self._containers[name], tail=80)
        return printed.decode("utf-8", "replace")[-2048:]

    def _signal(self, client: Any, name: str) -> None:
        for container in self._containers.values():
            with contextlib.suppress(Exception):  # it has ended
                client.api.kill(container, name)

    def _settings(self, client: Any, container: Plain) -> Plain:
        from docker.types import Mount

        limits = (container.get("resources") or {}).get("limits") or {}
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes") or ()}
        mounts = []
        for mount in container.get("volumeMounts") or ():
            mounts.append(self._mount(Mount, volumes[mount["name"]], mount))
        memory = int(quantity(limits["memory"])) if "memory" in limits else None
        user = {**(self.spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
        return {
            "image": container["image"],
            "entrypoint": container.get("command") or None,
            "command": container.get("args") or None,
            "environment": {one["name"]: one.get("value", "") for one in container.get("env") or ()},
            "user": str(user.get("runAsUser", "")),
            "labels": {POD_LABEL: self.manifest["metadata"]["name"]},
            "host_config": client.api.create_host_config(
                network_mode="host",
                mounts=mounts,
                mem_limit=memory,
                memswap_limit=memory,
                nano_cpus=int(quantity(limits["cpu"]) * 1e9) if "cpu" in limits else None,
            ),
        }

    def _mount(self, make: Any, volume: Plain, mount: Plain) -> Any:
        target, only = mount["mountPath"], bool(mount.get("readOnly"))
        if "persistentVolumeClaim" in volume:
            source = self._node.claims[volume["persistentVolumeClaim"]["claimName"]]
            return make(target, source, type="bind", read_only=only)
        empty = volume["emptyDir"] or {}  # what else there is the tests do not need
        if empty.get("medium") == "Memory":
            size = int(quantity(empty["sizeLimit"])) if empty.get("sizeLimit") else None
            return make(target, None, type="tmpfs", tmpfs_size=size)
        folder = tempfile.mkdtemp(dir=self._folder.name)
        os.chmod(self._folder.name, 0o755)
        os.chmod(folder, 0o777)  # as a kubelet makes it
        return make(target, folder, type="bind", read_only=only)

    def _containers_are(self, state: Plain, phase: str = "Pending") -> None:
        statuses = [self._status_of(container["name"], state) for container in self.spec["containers"]]
        self._status(phase=phase, containerStatuses=statuses)

    def _status_of(self, name: str, state: Plain) -> Plain:
        image = next(one["image"] for one in self.spec["containers"] if one["name"] == name)
        facts = {"name": name, "image": image, "imageID": f"docker://{image}", "restartCount": 0}
        return {**facts, "ready": "running" in state, "state": state, "lastState": {}}

    def _status(self, **changes: Any) -> None:
        self.manifest["status"] = {**self.manifest["status"], **changes}
        self._changed()


def _ended(state: Mapping[str, Any], last_words: str, out_of_memory: bool) -> Plain:
    code = state["ExitCode"]
    reason = "OOMKilled" if state["OOMKilled"] or out_of_memory else "Completed" if code == 0 else "Error"
    times = {"startedAt": state["StartedAt"], "finishedAt": state["FinishedAt"]}
    message = {"message": last_words} if code and last_words else {}
    return {"terminated": {"exitCode": code, "reason": reason, **message, **times}}
