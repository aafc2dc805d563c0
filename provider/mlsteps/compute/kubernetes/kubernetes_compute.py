"""KubernetesCompute: the script runs in a pod, and no worker waits for it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.kubernetes.settings import checked_settings
from mlsteps.compute.kubernetes.volumes import ClaimedVolume
from mlsteps.compute.packages import checked_packages

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan

DEFAULTS: Mapping[str, Any] = {
    "kubernetes_conn_id": "kubernetes_default",
    "python": "python3",
    "gpu_resource": "nvidia.com/gpu",
    "deferrable": True,
    "startup_minutes": 10,
    "max_hours": 24,
}


class KubernetesCompute(ComputeTarget):
    """Runs scripts in pods of a Kubernetes cluster, each in one of its own that is deleted afterwards.

    The image needs Python 3.9 or newer and nothing else. Data on Azure Blob goes straight to the pod and
    back, by signatures that are good for this job alone; nothing of Airflow and no key gets into it. Folders
    are volume claims, see ``volumes``; what lies in other folders passes through the worker.

    :param name: The name it goes by.
    :param kubernetes_conn_id: Airflow's connection of type ``kubernetes``.
    :param namespace: Of the pods; default: the connection's.
    :param base_image: For environments that name none; ``{python}`` in it is the worker's version.
    :param python: What Python is called in images that are used as they are.
    :param packages: pip requirements for steps that ask for no environment.
    :param push_to: A repository that made images are pushed to, and that nodes pull from.
    :param docker_url, docker_conn_id, docker_engine_conn_id: The engine that makes images, as ``url``,
        ``docker_conn_id`` and ``engine_conn_id`` of :class:`DockerCompute`.
    :param service_account: Default: the namespace's, whose token is kept from the script.
    :param node_selector: Labels that a node must have.
    :param tolerations: As in a manifest, such as ``{"key": "gpu", "operator": "Exists"}``.
    :param cpus, memory, shm_size: As for :class:`DockerCompute`; the pod is guaranteed them.
    :param gpus: How many.
    :param gpu_resource: What the cluster calls them.
    :param image_pull_secrets: Names of secrets that open the images' registries.
    :param image_pull_policy: ``Always``, ``IfNotPresent`` or ``Never``.
    :param pod_template: A manifest to start from, or the path of a file with one.
    :param volumes: Folders of the worker by the claims that they are:
        ``{"/data/lake": {"claim": "lake", "mount": "/lake"}}``.
    :param deferrable: Whether Airflow's triggerer waits for the pod; else a worker does.
    :param startup_minutes: How long it may take until the container runs.
    :param max_hours: How long a job may last at most; at most 160.
    :raises ComputeTargetException: a setting is unusable.
    """

    kind = "kubernetes"
    type = "Kubernetes"

    def __init__(
        self,
        name: str = "kubernetes",
        kubernetes_conn_id: str = DEFAULTS["kubernetes_conn_id"],
        namespace: str | None = None,
        base_image: str | None = None,
        python: str = DEFAULTS["python"],
        packages: Sequence[str] = (),
        push_to: str | None = None,
        docker_url: str | None = None,
        docker_conn_id: str | None = None,
        service_account: str | None = None,
        node_selector: Mapping[str, str] | None = None,
        tolerations: Sequence[Mapping[str, Any]] = (),
        cpus: float | None = None,
        memory: str | int | None = None,
        shm_size: str | int | None = None,
        gpus: int | None = None,
        gpu_resource: str = DEFAULTS["gpu_resource"],
        image_pull_secrets: Sequence[str] = (),
        image_pull_policy: str | None = None,
        pod_template: Mapping[str, Any] | str | None = None,
        volumes: Mapping[str, Mapping[str, str]] | None = None,
        deferrable: bool = DEFAULTS["deferrable"],
        startup_minutes: float = DEFAULTS["startup_minutes"],
        max_hours: float = DEFAULTS["max_hours"],
        docker_engine_conn_id: str | None = None,
    ) -> None:
        super().__init__(name)
        where = f"Compute target {name!r}"
        self._given = {key: value for key, value in locals().items() if key in _SETTINGS}
        checked_settings(where, self._given)
        self.kubernetes_conn_id = kubernetes_conn_id
        self.namespace = namespace
        self.base_image = base_image
        self.python = python
        self.packages = checked_packages(where, packages)
        self.push_to = push_to
        self.docker_url = docker_url
        self.docker_conn_id = docker_conn_id
        self.docker_engine_conn_id = docker_engine_conn_id
        self.service_account = service_account
        self.node_selector = dict(node_selector or {})
        self.tolerations = tuple(tolerations)
        self.limits = ContainerLimits.checked(where, cpus, memory, shm_size, gpus)
        self.gpu_resource = gpu_resource
        self.image_pull_secrets = tuple(image_pull_secrets)
        self.image_pull_policy = image_pull_policy
        self.pod_template = pod_template
        self.claimed_volumes = ClaimedVolume.checked(where, volumes or {})
        self.deferrable = deferrable
        self.startup_minutes = startup_minutes
        self.max_hours = max_hours

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        known = {
            key: _plain(value)
            for key, value in self._given.items()
            if value not in (None, (), [], {}) and value != DEFAULTS.get(key)
        }
        return {"type": self.kind, "name": self.name, **known}

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """Packages for the image's Python; an image that is named counts by its name.

        See :meth:`ComputeTarget.environment_identity`. The worker cannot see which image a tag stands for:
        where tags move, name images by digest.
        """
        from mlsteps.compute.kubernetes.images import image_identity

        return image_identity(self, plan, locks, folder)

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job in a pod of its own; see :meth:`ComputeTarget.run`.

        :raises JobSuspended: the pod is on its way. Called again, this goes on with what became of it.
        """
        from mlsteps.compute.kubernetes.pod_run import run_in_pod

        return run_in_pod(self, job, watcher)


_SETTINGS = frozenset(inspect.signature(KubernetesCompute.__init__).parameters) - {"self", "name"}


def _plain(value: Any) -> Any:
    """As JSON has it, and the same each time."""
    return json.loads(json.dumps(value, sort_keys=True))
