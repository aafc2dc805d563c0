"""PodTrigger: the Kubernetes provider's trigger, which also notices that a pod's node is lost."""

from __future__ import annotations

from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import (  # noqa: TID253  only a triggerer loads this
    ContainerState,
    KubernetesPodTrigger,
)

from mlsteps.compute.kubernetes.diagnosis import is_lost


class PodTrigger(KubernetesPodTrigger):  # type: ignore[misc]
    """Waits for a pod.

    A node that is gone tells nobody that its pods have ended: they stay as they were last seen, for ever,
    with only a time at which they should have been deleted.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's database keeps it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1]

    def define_pod_container_state(self, pod: Any) -> ContainerState:
        """How a pod's container stands, as the provider asks itself."""
        return ContainerState.FAILED if is_lost(pod) else super().define_pod_container_state(pod)
