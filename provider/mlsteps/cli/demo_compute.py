"""Where a demo's scripts run, as its workspace says it, and whether that can be."""

from __future__ import annotations

from typing import Any

from mlsteps.cli.demo_choices import Compute, Place

_PACKAGES = ["scikit-learn", "pandas", "matplotlib", "joblib"]
_IMAGE = "python:{python}-slim"


def compute_settings(place: Place) -> dict[str, Any]:
    """What ``workspace.yaml`` says of it; nothing for this machine."""
    if place.compute is Compute.LOCAL:
        return {}
    image = place.image or _IMAGE
    if place.compute is Compute.DOCKER:
        # They need no network; what the scripts import is made into an image once.
        target = {"type": "docker", "base_image": image, "packages": _PACKAGES, "network_mode": "none"}
    else:
        cluster = place.cluster
        made = {"packages": _PACKAGES, "push_to": cluster.push_to} if cluster.push_to else {}
        asked = {"kubernetes_conn_id": cluster.connection, "namespace": cluster.namespace}
        target = {"type": "kubernetes", "base_image": image, **made}
        target |= {name: value for name, value in asked.items() if value}
    name = place.compute.value
    return {"compute_targets": {name: target}, "default_compute_target": name}


def check_compute(place: Place) -> str | None:
    """See that scripts can run there, before anything else is done; returns what to tell about it.

    :raises ComputeTargetException: the cluster cannot be used; the text says what to do.
    """
    if place.compute is not Compute.KUBERNETES:
        return None
    from mlsteps.compute import create_compute_target
    from mlsteps.compute.kubernetes import KubernetesCompute
    from mlsteps.compute.kubernetes.cluster import connected
    from mlsteps.local_airflow import quieten

    quieten()
    name = place.compute.value
    target = create_compute_target(name, compute_settings(place)["compute_targets"][name])
    assert isinstance(target, KubernetesCompute)
    with connected(target) as cluster:
        cluster.check()
        return f"Scripts run in pods of namespace {cluster.namespace!r} at {cluster.address}"
