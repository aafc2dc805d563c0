"""What is wrong with a pod, in words, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.durations import in_words
from mlsteps.compute.kubernetes.pod_spec import CONTAINER
from mlsteps.launcher.result import JobResult

# What a kubelet takes to end a pod, beyond the time that the pod has for it. Clocks differ.
_LOST_SECONDS = 60.0
_ENDED = ("Succeeded", "Failed")
_NO_IMAGE = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_NO_CONTAINER = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
)
_NO_LAUNCHER = "the launcher cannot be fetched"
_NO_PROGRAM = ("executable file not found", "no such file or directory")


def has_ended(pod: Any) -> bool:
    """Whether its containers have, or will never begin."""
    return pod.status.phase in _ENDED or _terminated(pod) is not None


def is_lost(pod: Any) -> bool:
    """Whether it should have been deleted for long, and nobody on its node does so."""
    asked: datetime | None = pod.metadata.deletion_timestamp
    if asked is None:
        return False
    # The API server puts it at the end of the time that the pod has.
    return (datetime.now(timezone.utc) - asked).total_seconds() > _LOST_SECONDS


def has_begun(pod: Any) -> bool:
    """Whether there may be something printed."""
    state = _state(pod)
    return state is not None and (state.running is not None or state.terminated is not None)


def why_it_does_not_start(pod: Any, warnings: Sequence[str], patience: float) -> str | None:
    """Why a pod that has not begun never will, or None while there is hope.

    :param warnings: What the cluster complained about.
    :param patience: Seconds that it may take.
    """
    image = pod.spec.containers[0].image
    state = _state(pod)
    waiting = state.waiting if state is not None else None
    if waiting is not None and waiting.reason in _NO_IMAGE:
        told = next((text for text in reversed(warnings) if "pull" in text and "Back-off" not in text), "")
        told = told or waiting.message or waiting.reason
        return (
            f"The image {image!r} cannot be pulled: {told}. See that the name is right, that the nodes reach "
            f"its registry, and that image_pull_secrets names a secret that opens it."
        )
    if waiting is not None and waiting.reason in _NO_CONTAINER:
        return (
            f"The container cannot be made: {waiting.message or waiting.reason}.{_program(waiting.message)}"
        )
    if has_begun(pod) or _age(pod) < patience:
        return None
    within = f"after {in_words(patience)} (startup_minutes)"
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"No node of the cluster takes the pod, {within}: {condition.message} {_advice(condition)}"
    told = warnings[-1] if warnings else (waiting.message or waiting.reason if waiting is not None else "")
    return f"The pod has not started, {within}: {told or 'the cluster does not say why'}."


def _advice(condition: Any) -> str:
    if "persistentvolumeclaim" in (condition.message or ""):
        return "volumes names claims of the pods' namespace."
    return (
        "Ask for less (cpus, memory, gpus), see that node_selector and tolerations fit a node, or let the "
        "cluster grow."
    )


def how_it_ended(
    pod: Any | None, result: JobResult | None, limits: ContainerLimits, stopped: bool, seconds: float
) -> JobResult:
    """The job's result, with what only the cluster knows.

    :param pod: None if it is gone.
    :param result: What the launcher told; None if it could not.
    :param stopped: Whether it was asked to end.
    :param seconds: How long the pod might be active.
    """
    if stopped:
        return result or JobResult(stopped="terminated")
    if result is not None and result.succeeded:
        return result
    told = _told_by_cluster(pod, limits, seconds)
    if told is None and result is not None and result.stopped is None:
        return result
    if told is None and (pod is None or result is not None):
        told = (
            "The pod was ended from outside: somebody deleted it, or its node is lost. Give the step retries "
            "where nodes come and go."
        )
    told = told or _without_result(pod)
    if _is_used_up(pod):
        return replace(result or JobResult(signal="SIGKILL"), stopped=None, error=told)
    return replace(result or JobResult(), stopped="outside", error=told)


def _is_used_up(pod: Any | None) -> bool:
    """Whether the script took more time or memory than it may."""
    if pod is None:
        return False
    terminated = _terminated(pod)
    out_of_memory = terminated is not None and terminated.reason == "OOMKilled"
    return out_of_memory or bool(pod.status.reason == "DeadlineExceeded")


def _told_by_cluster(pod: Any | None, limits: ContainerLimits, seconds: float) -> str | None:
    """What only the cluster knows."""
    if pod is None:
        return None
    reason = pod.status.reason
    if reason == "Evicted":
        return (
            f"The cluster evicted the pod: {pod.status.message} Set memory on the compute target to what the "
            f"script needs, so that it gets a node that has it; and give the step retries."
        )
    if reason == "DeadlineExceeded":
        return (
            f"The pod was ended after {in_words(seconds)}: that is all that max_hours, its time limit and "
            f"the task's execution_timeout allow."
        )
    terminated = _terminated(pod)
    if terminated is not None and terminated.reason == "OOMKilled":
        from rich.filesize import decimal

        limit = f"its limit of {decimal(limits.memory)}" if limits.memory else "what its node has"
        return f"The container used more memory than {limit}. Raise memory on the compute target."
    return f"The cluster ended the pod: {reason}: {pod.status.message}" if reason else None


def _without_result(pod: Any) -> str:
    terminated = _terminated(pod)
    if terminated is None:
        return f"The pod ended as {pod.status.phase} and left no result."
    if terminated.exit_code == 137:
        return "The container was killed from outside: by somebody, or with its node."
    last = (terminated.message or "").strip().rpartition("\n")[2]
    told = f": {last}" if last else "; see what it printed above"
    return (
        f"The container ended with exit code {terminated.exit_code} and left no result{told}."
        f"{_program(terminated.message)}"
    )


def _program(message: str | None) -> str:
    if _NO_LAUNCHER in (message or ""):
        return " Pods have to reach the storage account by this address."
    if any(text in (message or "") for text in _NO_PROGRAM):
        return " The image needs Python 3.9 or newer; python on the compute target says what it is called."
    return ""


def _state(pod: Any) -> Any | None:
    statuses = pod.status.container_statuses or ()
    return next((one.state for one in statuses if one.name == CONTAINER), None)


def _terminated(pod: Any) -> Any | None:
    state = _state(pod)
    return state.terminated if state is not None else None


def _age(pod: Any) -> float:
    created: datetime = pod.metadata.creation_timestamp
    return (datetime.now(timezone.utc) - created).total_seconds()
