"""The pod of a job, as Airflow's KubernetesPodOperator makes it from a target's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.compute.staged.area import step_label

if TYPE_CHECKING:
    from mlsteps.compute.docker.limits import ContainerLimits
    from mlsteps.compute.job import StepJob
    from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute
    from mlsteps.compute.staged import StagingArea

CONTAINER = "base"
ROOT = "/mlsteps"
AREA_LABEL = "mlsteps.job"
STEP_LABEL = "mlsteps.step"

_VOLUME = "mlsteps"
# The launcher gives a script three seconds, and then has something to send.
_GRACE_SECONDS = 10
_NAMES = {
    "dag_id": "MLSTEPS_DAG_ID",
    "run_id": "MLSTEPS_RUN_ID",
    "task_id": "MLSTEPS_TASK_ID",
    "try_number": "MLSTEPS_TRY_NUMBER",
}


def pod_name(job: StepJob, area: StagingArea) -> str:
    """A name that only this try of this step has, so that the cluster itself refuses a second pod for it."""
    readable = re.sub(r"[^a-z0-9]+", "-", job.variables.get("MLSTEPS_TASK_ID", job.id).lower())[:36]
    return f"{readable.strip('-') or 'job'}-{area.name[-24:]}"


def labels_of(job: StepJob, area: StagingArea) -> dict[str, str]:
    """By what the pod is found: for us the job and its step, for people DAG, run, task and try."""
    named = {label: _label(job.variables[name]) for label, name in _NAMES.items() if name in job.variables}
    step = {STEP_LABEL: step_label(job, area)} if job.step else {}
    return {**named, **step, AREA_LABEL: area.name}


def operator_for(
    target: KubernetesCompute,
    *,
    name: str,
    image: str | None = None,
    command: list[str] | None = None,
    variables: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    limits: ContainerLimits | None = None,
    seconds: int | None = None,
) -> Any:
    """The provider's operator with all settings; it makes the pod's specification, and knows the cluster.

    :param seconds: How long the pod may be active.
    """
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from kubernetes.client import models as k8s

    template = target.pod_template
    volumes, mounts = _volumes(target, limits)
    return KubernetesPodOperator(
        task_id="pod",
        name=name,
        random_name_suffix=False,
        kubernetes_conn_id=target.kubernetes_conn_id,
        namespace=target.namespace,
        image=image,
        image_pull_policy=target.image_pull_policy,
        image_pull_secrets=[k8s.V1LocalObjectReference(name=secret) for secret in target.image_pull_secrets],
        cmds=command,
        env_vars=dict(variables or {}),
        labels=dict(labels or {}),
        service_account_name=target.service_account,
        automount_service_account_token=target.service_account is not None,
        node_selector=dict(target.node_selector),
        tolerations=[k8s.V1Toleration(**_snake(one)) for one in target.tolerations],
        container_resources=_resources(target, limits) if limits else None,
        container_security_context=k8s.V1SecurityContext(allow_privilege_escalation=False),
        volumes=volumes,
        volume_mounts=mounts,
        active_deadline_seconds=seconds,
        termination_grace_period=_GRACE_SECONDS,
        base_container_name=CONTAINER,
        # What it printed last is the reason, where it comes to no result.
        termination_message_policy="FallbackToLogsOnError",
        pod_template_dict=dict(template) if isinstance(template, Mapping) else None,
        pod_template_file=template if isinstance(template, str) else None,
        do_xcom_push=False,
    )


def _resources(target: KubernetesCompute, limits: ContainerLimits) -> Any:
    from kubernetes.client import models as k8s

    amounts: dict[str, str] = {}
    if limits.cpus is not None:
        amounts["cpu"] = f"{int(limits.cpus * 1000)}m"
    if limits.memory is not None:
        amounts["memory"] = str(limits.memory)
    if limits.gpus is not None:
        amounts[target.gpu_resource] = str(limits.gpus)
    # What is asked for is what it gets: no neighbour takes it, and it takes none from a neighbour.
    return k8s.V1ResourceRequirements(requests=amounts or None, limits=amounts or None)


def _volumes(target: KubernetesCompute, limits: ContainerLimits | None) -> tuple[list[Any], list[Any]]:
    from kubernetes.client import models as k8s

    volumes = [k8s.V1Volume(name=_VOLUME, empty_dir=k8s.V1EmptyDirVolumeSource())]
    mounts = [k8s.V1VolumeMount(name=_VOLUME, mount_path=ROOT)]
    if limits is not None and limits.shm is not None:
        memory = k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit=str(limits.shm))
        volumes.append(k8s.V1Volume(name="shm", empty_dir=memory))
        mounts.append(k8s.V1VolumeMount(name="shm", mount_path="/dev/shm"))
    for number, volume in enumerate(target.claimed_volumes):
        claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=volume.claim)
        volumes.append(k8s.V1Volume(name=f"data-{number}", persistent_volume_claim=claim))
        mounts.append(k8s.V1VolumeMount(name=f"data-{number}", mount_path=volume.mount))
    return volumes, mounts


def _snake(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``tolerationSeconds``, as manifests have it, by the name that the client has for it."""
    return {re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key): v for key, v in fields.items()}


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")
