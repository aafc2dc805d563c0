"""The double of Kubernetes does to pods what a cluster does, as the official client sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as k8s
from kubernetes import config, watch

from servers.docker_engine import DockerEngine
from servers.kubernetes_double import KubernetesDouble, kubernetes_double
from servers.pods_in_docker import POD_LABEL

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def double(docker_engine: DockerEngine) -> Iterator[KubernetesDouble]:
    with kubernetes_double(docker_engine) as running:
        yield running


@pytest.fixture
def api(double: KubernetesDouble) -> Iterator[k8s.CoreV1Api]:
    yield k8s.CoreV1Api(config.new_client_from_config_dict(double.kube_config))
    double.node.full = None
    double.forbidden.clear()


@pytest.fixture
def pod(double: KubernetesDouble, api: k8s.CoreV1Api, docker_engine: DockerEngine) -> Callable[..., str]:
    def create(name: str, command: str, **spec: Any) -> str:
        limits = spec.pop("limits", None)
        container = {"name": "base", "image": spec.pop("image", docker_engine.image)}
        container |= {"command": ["sh", "-c", command], "resources": {"limits": limits or {}}}
        container |= {"volumeMounts": spec.pop("mounts", [])}
        metadata = {"name": name, "labels": {"test": name}}
        api.create_namespaced_pod("ns", {"metadata": metadata, "spec": {"containers": [container], **spec}})
        return name

    return create


def eventually(api: k8s.CoreV1Api, name: str, what: Callable[[Any], Any]) -> Any:
    end = time.monotonic() + 30
    while not (found := what(api.read_namespaced_pod(name, "ns").status)):
        assert time.monotonic() < end, api.read_namespaced_pod(name, "ns").status
        time.sleep(0.1)
    return found


def ended(status: Any) -> Any:
    return status.phase in ("Succeeded", "Failed") and status


def terminated(status: Any) -> Any:
    return ended(status) and status.container_statuses[0].state.terminated


def refused(call: Callable[[], Any]) -> int:
    with pytest.raises(k8s.exceptions.ApiException) as caught:
        call()
    return int(caught.value.status)


def test_a_pod_runs_its_container_and_keeps_its_log(api: k8s.CoreV1Api, pod: Callable[..., str]) -> None:
    pod("good", "echo one; echo two >&2")
    assert eventually(api, "good", terminated).exit_code == 0
    assert api.read_namespaced_pod("good", "ns").status.phase == "Succeeded"
    printed = api.read_namespaced_pod_log("good", "ns", _preload_content=False).data
    assert sorted(printed.split()) == [b"one", b"two"]
    events = api.list_namespaced_event("ns", field_selector="involvedObject.name=good").items
    assert [event.reason for event in events] == ["Scheduled", "Started"]
    pod("bad", "exit 3")
    assert eventually(api, "bad", terminated).exit_code == 3
    assert api.read_namespaced_pod("bad", "ns").status.phase == "Failed"


def test_names_are_taken_once_and_labels_select(api: k8s.CoreV1Api, pod: Callable[..., str]) -> None:
    pod("once", "true")
    assert refused(lambda: pod("once", "true")) == 409
    names = [one.metadata.name for one in api.list_namespaced_pod("ns", label_selector="test=once").items]
    assert names == ["once"]
    assert "once" not in [
        one.metadata.name for one in api.list_namespaced_pod("ns", label_selector="test!=once").items
    ]
    assert refused(lambda: api.read_namespaced_pod("none", "ns")) == 404


def test_deleting_asks_the_container_first_and_removes_it(
    api: k8s.CoreV1Api, pod: Callable[..., str], docker_engine: DockerEngine
) -> None:
    pod("long", "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    eventually(api, "long", lambda status: status.phase == "Running")
    lines = api.read_namespaced_pod_log("long", "ns", follow=True, _preload_content=False).stream()
    assert next(lines).strip() == b"up"
    api.delete_namespaced_pod("long", "ns", grace_period_seconds=10)
    assert b"asked" in b"".join(lines)
    end = time.monotonic() + 20
    while refused_or_there(api, "long") != 404:
        assert time.monotonic() < end
        time.sleep(0.1)
    with docker_engine.client() as client:
        assert not client.containers.list(all=True, filters={"label": f"{POD_LABEL}=long"})


def refused_or_there(api: k8s.CoreV1Api, name: str) -> int:
    try:
        api.read_namespaced_pod(name, "ns")
    except k8s.exceptions.ApiException as error:
        return int(error.status)
    return 200


def test_a_memory_limit_kills(api: k8s.CoreV1Api, pod: Callable[..., str]) -> None:
    pod("hungry", "python3 -c 'bytearray(300000000)'", limits={"memory": "50Mi", "cpu": "500m"})
    found = eventually(api, "hungry", terminated)
    assert (found.reason, found.exit_code) == ("OOMKilled", 137)


def test_an_unknown_image_is_waited_for(api: k8s.CoreV1Api, pod: Callable[..., str]) -> None:
    pod("imageless", "true", image="example.invalid/none:1")

    def waiting(reason: str) -> Callable[[Any], Any]:
        return lambda status: (
            status.container_statuses and status.container_statuses[0].state.waiting.reason == reason
        )

    eventually(api, "imageless", waiting("ErrImagePull"))
    eventually(api, "imageless", waiting("ImagePullBackOff"))
    assert refused(lambda: api.read_namespaced_pod_log("imageless", "ns")) == 400


def test_a_pod_that_no_node_fits_is_pending_until_one_does(
    api: k8s.CoreV1Api, pod: Callable[..., str], double: KubernetesDouble
) -> None:
    pod("large", "true", limits={"cpu": "64"})
    [told] = eventually(api, "large", lambda status: status.conditions)
    assert (told.reason, "Insufficient cpu" in told.message) == ("Unschedulable", True)
    pod("picky", "true", nodeSelector={"disk": "ssd"})
    assert "affinity" in eventually(api, "picky", lambda status: status.conditions)[0].message
    double.node.full = "0/1 nodes are available: 1 node(s) were unschedulable."
    pod("patient", "true")
    assert "unschedulable" in eventually(api, "patient", lambda status: status.conditions)[0].message
    double.node.full = None
    assert eventually(api, "patient", terminated).exit_code == 0


def test_an_evicted_pod_has_failed_and_says_why(
    api: k8s.CoreV1Api, pod: Callable[..., str], double: KubernetesDouble
) -> None:
    pod("unlucky", "sleep 60")
    eventually(api, "unlucky", lambda status: status.phase == "Running")
    double.evict("unlucky")
    found = eventually(api, "unlucky", lambda status: status.reason and status)
    assert (found.phase, found.reason) == ("Failed", "Evicted")


def test_a_command_that_is_not_there_is_an_end(
    api: k8s.CoreV1Api, pod: Callable[..., str], docker_engine: DockerEngine
) -> None:
    container = {"name": "base", "image": docker_engine.image, "command": ["none"]}
    api.create_namespaced_pod("ns", {"metadata": {"name": "typo"}, "spec": {"containers": [container]}})
    found = eventually(api, "typo", terminated)
    assert (found.reason, found.exit_code) == ("StartError", 128) and "not found" in found.message


def test_a_deadline_ends_a_pod(api: k8s.CoreV1Api, pod: Callable[..., str]) -> None:
    pod("late", "sleep 60", activeDeadlineSeconds=1)
    assert eventually(api, "late", lambda status: status.reason) == "DeadlineExceeded"


def test_volumes_are_folders(
    api: k8s.CoreV1Api, pod: Callable[..., str], tmp_path: Path, double: Any
) -> None:
    double.node.claims["lake"] = str(tmp_path)
    (tmp_path / "in").write_text("abc")
    volumes = [
        {"name": "lake", "persistentVolumeClaim": {"claimName": "lake"}},
        {"name": "room", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    ]
    mounts = [
        {"name": "lake", "mountPath": "/lake"},
        {"name": "room", "mountPath": "/room"},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]
    pod("reader", "cp /lake/in /room/x && cp /room/x /lake/out", volumes=volumes, mounts=mounts)
    assert eventually(api, "reader", terminated).exit_code == 0
    assert (tmp_path / "out").read_text() == "abc"


def test_a_watch_tells_changes_and_that_it_begins_too_late(
    api: k8s.CoreV1Api, pod: Callable[..., str], double: KubernetesDouble
) -> None:
    version = api.list_namespaced_pod("ns").metadata.resource_version
    pod("watched", "true")
    phases = []
    changes = watch.Watch()
    for change in changes.stream(
        api.list_namespaced_pod,
        "ns",
        label_selector="test=watched",
        resource_version=version,
        timeout_seconds=20,
    ):
        phases.append((change["type"], change["object"].status.phase))
        if phases[-1][1] == "Succeeded":
            changes.stop()
    assert phases[0] == ("ADDED", "Pending") and phases[-1] == ("MODIFIED", "Succeeded")
    double.forget_history()
    with pytest.raises(k8s.exceptions.ApiException) as caught:
        list(watch.Watch().stream(api.list_namespaced_pod, "ns", resource_version=version, timeout_seconds=1))
    assert caught.value.status == 410


def test_who_has_no_token_or_no_right_is_refused(
    api: k8s.CoreV1Api, pod: Callable[..., str], double: KubernetesDouble
) -> None:
    double.forbidden.add(("create", "pods"))
    assert refused(lambda: pod("forbidden", "true")) == 403
    nobody = k8s.CoreV1Api(k8s.ApiClient(k8s.Configuration(host=double.url)))
    assert refused(lambda: nobody.list_namespaced_pod("ns")) == 401
