"""What is said of pods in states that the double of a cluster does not come to; no server is needed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from kubernetes.client import models as k8s

from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.kubernetes.diagnosis import has_ended, how_it_ended, is_lost, why_it_does_not_start
from mlsteps.launcher.result import JobResult

COLLECTED = datetime.now(timezone.utc)
LIMITS = ContainerLimits.checked("here", None, "1g", None, None)


def pod(phase: str = "Pending", age: float = 1, **status: Any) -> k8s.V1Pod:
    state = status.pop("state", None)
    if state is not None:
        made = k8s.V1ContainerStatus(
            name="base",
            image="i",
            image_id="",
            ready=False,
            restart_count=0,
            state=k8s.V1ContainerState(**state),
        )
        status["container_statuses"] = [made]
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p", creation_timestamp=COLLECTED - timedelta(seconds=age)),
        spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", image="repo/image:1")]),
        status=k8s.V1PodStatus(phase=phase, **status),
    )


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": k8s.V1ContainerStateWaiting(reason=reason, message=message)}


def terminated(code: int, reason: str = "Error", message: str | None = None) -> dict[str, Any]:
    return {"terminated": k8s.V1ContainerStateTerminated(exit_code=code, reason=reason, message=message)}


@pytest.mark.parametrize(
    ("found", "warnings", "wanted"),
    [
        (pod(), [], None),
        (pod(state=waiting("ContainerCreating")), ["FailedMount: x"], None),
        # One failure may pass, as where a registry limits rates; the kubelet tries again by itself.
        (pod(state=waiting("ErrImagePull", "429")), [], None),
        (pod(state=waiting("ImagePullBackOff", "Back-off")), ["Failed: failed to pull: 401"], "pull: 401"),
        (pod(state=waiting("InvalidImageName", "no colon")), [], "'repo/image:1' cannot be pulled: no colon"),
        (
            pod(state=waiting("CreateContainerConfigError", 'secret "s" not found')),
            [],
            'secret "s" not found',
        ),
        (pod(age=100, state=waiting("ContainerCreating")), ["FailedMount: claim x"], "FailedMount: claim x"),
        (pod(age=100), [], "does not say why"),
        (pod("Running", 100, state={"running": k8s.V1ContainerStateRunning()}), [], None),
    ],
)
def test_what_keeps_a_pod_from_starting(found: Any, warnings: list[str], wanted: str | None) -> None:
    # Other tests may have taken minutes since these pods were made.
    found.metadata.creation_timestamp += datetime.now(timezone.utc) - COLLECTED
    said = why_it_does_not_start(found, warnings, patience=60)
    assert said is None if wanted is None else said is not None and wanted in said, said


@pytest.mark.parametrize(
    ("found", "result", "wanted"),
    [
        (None, None, "ended from outside"),
        (None, JobResult(exit_code=3), None),
        (pod("Failed", state=terminated(1, message="boom")), None, "exit code 1 and left no result: boom"),
        (pod("Failed", state=terminated(137)), None, "killed from outside"),
        (pod("Failed", reason="NodeLost", message="gone"), None, "NodeLost: gone"),
        (pod("Failed"), None, "ended as Failed"),
        (pod("Failed", state=terminated(137, "OOMKilled")), JobResult(signal="SIGKILL"), "limit of 1.1 GB"),
        (pod("Failed", reason="DeadlineExceeded"), JobResult(stopped="terminated"), "after 2 hours"),
        (pod("Failed", state=terminated(143)), JobResult(stopped="terminated"), "ended from outside"),
    ],
)
def test_how_a_pod_ended(found: Any, result: JobResult | None, wanted: str | None) -> None:
    ended = how_it_ended(found, result, LIMITS, stopped=False, seconds=7200)
    if wanted is None:
        assert ended == result
        return
    assert wanted in str(ended.error), ended.error
    # What the script took too much of it would take again; the rest may go well another time.
    used_up = "limit of" in wanted or "hours" in wanted
    assert ended.stopped == (None if used_up else "outside")


def test_a_pod_that_nobody_deletes_although_it_should_long_be_gone_is_lost() -> None:
    from mlsteps.triggers.pods import PodTrigger

    left = pod("Running", state={"running": k8s.V1ContainerStateRunning()})
    trigger = PodTrigger("p", "ns", datetime.now(timezone.utc), "base")
    assert trigger.serialize()[0] == "mlsteps.triggers.pods.PodTrigger"
    for seconds, lost in ((None, False), (-5, False), (20, False), (90, True)):
        if seconds is not None:
            left.metadata.deletion_timestamp = datetime.now(timezone.utc) - timedelta(seconds=seconds)
        assert is_lost(left) is lost
        assert trigger.define_pod_container_state(left) == ("failed" if lost else "running")


def test_a_success_and_a_stop_are_what_they_are() -> None:
    good = JobResult(exit_code=0)
    assert how_it_ended(pod("Failed", reason="Evicted"), good, LIMITS, stopped=False, seconds=7200) is good
    assert how_it_ended(None, None, LIMITS, stopped=True, seconds=7200).stopped == "terminated"
    assert has_ended(pod("Running", state=terminated(0))) and not has_ended(pod())
