"""What a container may use of the machine that its engine runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlsteps.compute.resources import Resources, size_in_bytes
from mlsteps.exceptions import ComputeTargetException

_LEAST_MEMORY = 6 * 1024 * 1024


@dataclass(frozen=True)
class ContainerLimits:
    """Limits that hold: processors by quota and not by weight, memory without swap.

    :param cpus: Processors.
    :param memory, shm: Bytes.
    :param gpus: How many; -1 for all.
    :param given: The settings as they were given.
    """

    cpus: float | None
    memory: int | None
    shm: int | None
    gpus: int | None
    given: Mapping[str, Any]

    @classmethod
    def checked(cls, where: str, cpus: Any, memory: Any, shm_size: Any, gpus: Any) -> ContainerLimits:
        """Limits from settings.

        :raises ComputeTargetException: one is unusable; the text names it.
        """
        if cpus is not None and (isinstance(cpus, bool) or not isinstance(cpus, (int, float)) or cpus <= 0):
            raise ComputeTargetException(f"{where}: cpus is a number above 0, such as 1.5, got {cpus!r}.")
        count = -1 if gpus == "all" else gpus
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < -1):
            raise ComputeTargetException(f"{where}: gpus is a number or 'all', got {gpus!r}.")
        sizes = {"memory": memory, "shm_size": shm_size}
        read: dict[str, int | None] = {}
        for name, value in sizes.items():
            read[name] = None if value is None else size_in_bytes(value)
            if value is not None and not read[name]:
                raise ComputeTargetException(
                    f"{where}: {name} is a number of bytes or a text such as 512m or 2g, got {value!r}."
                )
        if read["memory"] is not None and read["memory"] < _LEAST_MEMORY:
            raise ComputeTargetException(
                f"{where}: memory is at least 6m, as Docker wants it, got {memory!r}. Is a unit missing?"
            )
        given = {"cpus": cpus, **sizes, "gpus": gpus}
        return cls(
            cpus,
            read["memory"],
            read["shm_size"],
            count or None,
            {name: value for name, value in given.items() if value is not None},
        )

    def or_else(self, resources: Resources, processors: Callable[[], int]) -> ContainerLimits:
        """These, and where there are none what a job asks for, as far as the engine has it.

        :param processors: Tells how many the engine has, as more cannot be given; asked if it matters.
        """
        cpus = self.cpus if self.cpus is not None else resources.cpu
        return replace(
            self,
            cpus=min(cpus, processors()) if cpus is not None else None,
            memory=self.memory if self.memory is not None else resources.memory,
            shm=self.shm if self.shm is not None else resources.shm,
            gpus=self.gpus if self.gpus is not None else resources.gpus or None,
        )

    def as_docker(self) -> dict[str, Any]:
        """As arguments for a container's host configuration."""
        from docker.types import DeviceRequest

        options: dict[str, Any] = {}
        if self.cpus is not None:
            options["nano_cpus"] = int(self.cpus * 1e9)
        if self.memory is not None:
            options |= {"mem_limit": self.memory, "memswap_limit": self.memory}
        if self.shm is not None:
            options["shm_size"] = self.shm
        if self.gpus is not None:
            options["device_requests"] = [DeviceRequest(count=self.gpus, capabilities=[["gpu"]])]
        return options
