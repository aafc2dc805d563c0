"""Leaving a pod to Airflow's triggerer, by the Kubernetes provider's trigger."""

from __future__ import annotations

import inspect
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from mlsteps.compute.job import JobSuspended
from mlsteps.compute.kubernetes.pod_spec import CONTAINER

if TYPE_CHECKING:
    from mlsteps.compute.kubernetes.cluster import Cluster
    from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute
    from mlsteps.compute.staged import StagingArea

_POLL_SECONDS = 2.0
_TRIGGER = "mlsteps.triggers.pods.PodTrigger"


def is_masked(text: str) -> bool:
    """Whether Airflow would mask something of a text in logs of this process; yes where that is not known."""
    try:
        from airflow.providers.common.compat.sdk import redact
    except ImportError:
        return True
    return bool(redact(text) != text)


def suspended(
    target: KubernetesCompute, cluster: Cluster, name: str, area: StagingArea, secretive: bool
) -> JobSuspended:
    """What to raise, so that no worker waits for a pod.

    The triggerer looks up the connection itself: no credential is kept with the trigger.

    :param secretive: Whether the triggerer must not tell what the pod prints.
    """
    from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger

    now = datetime.now(timezone.utc)
    seconds = int(target.startup_minutes * 60)
    wanted = {
        "pod_name": name,
        "pod_namespace": cluster.namespace,
        "trigger_start_time": now,
        "base_container_name": CONTAINER,
        "kubernetes_conn_id": target.kubernetes_conn_id,
        "poll_interval": _POLL_SECONDS,
        "startup_check_interval": _POLL_SECONDS,
        "get_logs": False,
        "startup_timeout": seconds,
        "schedule_timeout": seconds,
    }
    known = inspect.signature(KubernetesPodTrigger.__init__).parameters  # it has grown over the versions
    trigger = KubernetesPodTrigger(**{key: value for key, value in wanted.items() if key in known})
    _, settings = trigger.serialize()
    settings["trigger_start_time"] = now.isoformat()  # nobody reads it, and this is JSON
    return JobSuspended(
        _TRIGGER,
        {**settings, "tells": not secretive},
        f"The pod {name} runs in namespace {cluster.namespace}.",
        {"home": area.home, "name": area.name},
    )
