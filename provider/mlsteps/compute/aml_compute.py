"""AmlCompute: a name, a size of machine, a number of jobs at a time; another kind of target does the work."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.compute.aml_status import AmlComputeStatus, ScaleSettings
from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.configuration import ComputeConfiguration
from mlsteps.compute.kinds import create_compute_target
from mlsteps.compute.resources import Resources
from mlsteps.compute.vm_sizes import vm_resources, vm_size_names
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from pathlib import Path

    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan
    from mlsteps.workspace import Workspace

_BACKEND = {"type": "local"}
_IDLE = 1800


class AmlCompute(ComputeTarget):
    """A cluster of Azure ML's, without the cluster.

    Jobs are run by the kind of target that the workspace names for it (``aml_compute`` in ``workspace.yaml``;
    by default the worker's machine), with the processors, memory and GPUs of ``vm_size``. ``max_nodes`` is
    the size of the target's Airflow pool: see the documentation of compute targets.
    (SDK v1: ``azureml.core.compute.AmlCompute``.)

    :param name: The name it goes by.
    :param vm_size: A size of Azure's virtual machines; empty sets no limits.
    :param vm_priority: ``dedicated`` or ``lowpriority``; of no effect.
    :param min_nodes: Of no effect: no node is ever kept running.
    :param max_nodes: Jobs at a time.
    :param idle_seconds_before_scaledown: Of no effect.
    :param tags: For people.
    :param description: For people.
    :param backend: The settings of the target that does the work; default: local.
    :param vm_sizes: Sizes that are known besides Azure's.
    :raises ComputeTargetException: naming the setting that is wrong.
    """

    kind = "amlcompute"
    type = "AmlCompute"

    def __init__(
        self,
        name: str,
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int = _IDLE,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        *,
        backend: Mapping[str, Any] | None = None,
        vm_sizes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(name)
        _check_nodes(name, min_nodes, max_nodes)
        if vm_priority not in ("dedicated", "lowpriority"):
            raise ComputeTargetException(
                f"Compute target {name!r}: vm_priority is 'dedicated' or 'lowpriority', got {vm_priority!r}."
            )
        self.vm_size = vm_size
        self.vm_priority = vm_priority
        self.scale_settings = ScaleSettings(min_nodes, max_nodes, idle_seconds_before_scaledown)
        self.tags = dict(tags or {})
        self.description = description
        self.backend = dict(backend or _BACKEND)
        self.resources = (
            vm_resources(vm_size, vm_sizes or {}, f"Compute target {name!r}") if vm_size else Resources()
        )
        if self.backend.get("type") == self.kind:
            raise ComputeTargetException(
                f"Compute target {name!r}: an AmlCompute cannot stand for an AmlCompute; "
                f"name the kind that runs its jobs, such as local."
            )

    @property
    def max_nodes(self) -> int | None:
        """Jobs at a time; None is no limit."""
        return self.scale_settings.maximum_node_count

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        scale = self.scale_settings
        given = {
            "vm_size": (self.vm_size, ""),
            "vm_priority": (self.vm_priority, "dedicated"),
            "min_nodes": (scale.minimum_node_count, 0),
            "max_nodes": (scale.maximum_node_count, None),
            "idle_seconds_before_scaledown": (scale.idle_seconds_before_scaledown, _IDLE),
            "tags": (self.tags, {}),
            "description": (self.description, None),
        }
        settings = {key: value for key, (value, default) in given.items() if value != default}
        return {"type": self.kind, "name": self.name, **settings, "backend": self.backend}

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Let the backend run a job, with what a machine of this size has; see :meth:`ComputeTarget.run`."""
        target = create_compute_target(self.name, self.backend)
        return target.run(replace(job, resources=job.resources.or_else(self.resources)), watcher)

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """As the backend's; see :meth:`ComputeTarget.environment_identity`."""
        return create_compute_target(self.name, self.backend).environment_identity(plan, locks, folder)

    # As in SDK v1

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int = _IDLE,
        admin_username: str | None = None,
        admin_user_password: str | None = None,
        admin_user_ssh_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        remote_login_port_public_access: str = "NotSpecified",
        identity_type: str | None = None,
        identity_id: Any = None,
        location: str | None = None,
        enable_node_public_ip: bool = True,
    ) -> ComputeConfiguration:
        """What to create, for :meth:`ComputeTarget.create`.

        What it says of users, networks, identities and places is of no effect: it has no machines of its own.

        :raises ComputeTargetException: ``min_nodes`` and ``max_nodes`` make no sense.
        """
        _check_nodes("to create", min_nodes, max_nodes)
        return ComputeConfiguration(
            {
                "type": AmlCompute.kind,
                "vm_size": vm_size,
                "vm_priority": vm_priority,
                "min_nodes": min_nodes,
                "max_nodes": max_nodes,
                "idle_seconds_before_scaledown": idle_seconds_before_scaledown,
                "tags": dict(tags) if tags else None,
                "description": description,
            }
        )

    @staticmethod
    def supported_vmsizes(workspace: Workspace, location: str | None = None) -> builtins.list[dict[str, Any]]:
        """Every size that ``vm_size`` may name, with what it has."""
        further = workspace.config.vm_sizes
        sizes = []
        for name in vm_size_names(further):
            has = vm_resources(name, further, "vm_sizes")
            sizes.append(
                {"name": name, "vCPUs": has.cpu, "gpus": has.gpus, "memoryGB": (has.memory or 0) / 2**30}
            )
        return sizes

    def get(self) -> AmlCompute:
        """Itself (SDK v1 reads it anew)."""
        return self

    def get_status(self) -> AmlComputeStatus:
        """Its settings and states as SDK v1 has them."""
        return AmlComputeStatus(self.vm_size, self.scale_settings, self.vm_priority)

    def wait_for_completion(  # type: ignore[override]
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: float = 25,
        is_delete_operation: bool = False,
    ) -> None:
        """Return at once: there is nothing to wait for."""
        super().wait_for_completion(show_output, is_delete_operation)

    def update(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
    ) -> None:
        """Change its registered settings; ``mlsteps compute sync`` brings Airflow's pool up to them.

        :raises ComputeTargetException: it is configured, or was not found by name.
        """
        if self.workspace is None:
            raise ComputeTargetException(f"Compute target {self.name!r} was made in code; change it there.")
        scale = self.scale_settings
        lower = scale.minimum_node_count if min_nodes is None else min_nodes
        upper = scale.maximum_node_count if max_nodes is None else max_nodes
        idle = idle_seconds_before_scaledown
        idle = scale.idle_seconds_before_scaledown if idle is None else idle
        _check_nodes(self.name, lower, upper)
        changed = {"min_nodes": lower, "max_nodes": upper, "idle_seconds_before_scaledown": idle}
        before = self.workspace.compute_target_settings(self.name) or {}
        self.workspace.register_compute_target(
            self.name, ComputeConfiguration({**before, **changed}), overwrite=True
        )
        self.scale_settings = ScaleSettings(lower, upper, idle)


def _check_nodes(name: str, least: object, most: object) -> None:
    def is_number(value: object, lowest: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= lowest

    if not is_number(least, 0) or (most is not None and not is_number(most, 1)):
        raise ComputeTargetException(
            f"Compute target {name!r}: min_nodes is a number from 0, max_nodes one from 1, "
            f"got {least!r} and {most!r}."
        )
    if isinstance(most, int) and isinstance(least, int) and least > most:
        raise ComputeTargetException(
            f"Compute target {name!r}: min_nodes {least} is more than max_nodes {most}."
        )
