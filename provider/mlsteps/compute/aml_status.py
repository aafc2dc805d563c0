"""What ``AmlCompute.get_status()`` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ScaleSettings:
    """How many jobs may run at a time.

    :param minimum_node_count, idle_seconds_before_scaledown: As given; nothing here is kept running.
    :param maximum_node_count: None is no limit.
    """

    minimum_node_count: int = 0
    maximum_node_count: int | None = None
    idle_seconds_before_scaledown: int = 1800


@dataclass(frozen=True)
class AmlComputeStatus:
    """The state of an :class:`~mlsteps.AmlCompute`: always at rest, as each job gets what it needs.

    How many jobs run, Airflow knows, not the workspace: see the pool's page there.
    """

    vm_size: str
    scale_settings: ScaleSettings
    vm_priority: str = "dedicated"
    allocation_state: str = "Steady"
    provisioning_state: str = "Succeeded"
    current_node_count: int = 0
    target_node_count: int = 0
    node_state_counts: dict[str, int] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    def serialize(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)
