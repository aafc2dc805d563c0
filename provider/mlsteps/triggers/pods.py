"""PodTrigger: the Kubernetes provider's trigger, which also notices lost nodes and tells what pods print."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.triggers.pod import (  # noqa: TID253  only a triggerer loads this
    ContainerState,
    KubernetesPodTrigger,
)
from airflow.triggers.base import TriggerEvent

from mlsteps.compute.kubernetes.diagnosis import has_begun, is_lost
from mlsteps.triggers.pod_lines import PodLines

if TYPE_CHECKING:
    from mlsteps.compute.staged import StagingArea


class PodTrigger(KubernetesPodTrigger):  # type: ignore[misc]
    """Waits for a pod.

    A node that is gone tells nobody that its pods have ended: they stay as they were last seen, for ever,
    with only a time at which they should have been deleted.

    :param tells: Whether what the pod prints is told in the task's log meanwhile.
    :param arguments, settings: The provider's trigger's.
    """

    find_area: Callable[[], StagingArea | None] | None = None
    """Finds the job's staging area; set by who knows the workspace. Without it nothing is told."""

    def __init__(self, *arguments: Any, tells: bool = False, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tells = tells
        self._lines: PodLines | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's database keeps it."""
        settings = {**super().serialize()[1], "tells": self.tells}
        return f"{type(self).__module__}.{type(self).__qualname__}", settings

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, when there is nothing more to wait for."""
        if not self.tells or self.find_area is None:
            async for event in super().run():
                yield event
            return
        self._lines = PodLines(
            self.hook, self.pod_name, self.pod_namespace, self._store, self._tell, self._warn
        )
        async with self._lines.told():
            events = [event async for event in super().run()]
        for event in events:
            yield event

    def define_pod_container_state(self, pod: Any) -> ContainerState:
        """How a pod's container stands, as the provider asks itself."""
        if self._lines is not None and has_begun(pod):
            self._lines.begin()
        return ContainerState.FAILED if is_lost(pod) else super().define_pod_container_state(pod)

    def _store(self) -> Any:
        area = self.find_area() if self.find_area is not None else None
        return area.store if area is not None else None

    def _tell(self, line: str) -> None:
        self.log.info("[stdout] %s", line)

    def _warn(self, why: str) -> None:
        self.log.warning("What the pod prints is told when it has ended: %s.", why)
