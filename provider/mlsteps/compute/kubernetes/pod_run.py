"""A job's way through a pod: staged, started, left alone, found again, published, deleted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.compute.job import JobOutcome, JobSuspended, JobWatcher, StepJob
from mlsteps.compute.kubernetes.cluster import Cluster, connected
from mlsteps.compute.kubernetes.diagnosis import how_it_ended
from mlsteps.compute.kubernetes.following import FollowedPod
from mlsteps.compute.kubernetes.images import PodImage, image_for
from mlsteps.compute.kubernetes.log_position import LogPosition
from mlsteps.compute.kubernetes.pod_spec import (
    ROOT,
    STEP_LABEL,
    labels_of,
    operator_for,
    pod_name,
)
from mlsteps.compute.kubernetes.waiting import is_masked, suspended
from mlsteps.compute.placement import describe_environment, explain
from mlsteps.compute.staged import StagedJob, StagingArea
from mlsteps.compute.staged.area import LONGEST_SIGNATURE, home_of, step_label
from mlsteps.compute.staged.layout import Layout
from mlsteps.environment import plan_environment
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute
    from mlsteps.environment import EnvironmentPlan

_STARTED = "started.json"
# Beyond what the script may take: for the image, the data, and clocks that differ.
_SLACK = 1800.0
# Airflow and its triggerer come first.
_TASK_SLACK = 120.0
_ANY_NUMBER = 1 << 20


def run_in_pod(target: KubernetesCompute, job: StepJob, watcher: JobWatcher) -> JobOutcome:
    """Run a job, or go on with one that was started by an earlier call. See ``KubernetesCompute.run``.

    :raises JobSuspended: it was started, and the triggerer is to wait for it.
    """
    area = StagingArea.of_job(home_of(job, target.name), job.id)
    with connected(target) as cluster:
        run = _PodRun(target, job, watcher, area, cluster)
        try:
            if job.resumed and not area.exists():
                return run.lost()
            if not job.resumed and (area.make(run.step) or not run.was_started):
                run.start()
                if target.deferrable and not watcher.stopped:
                    raise suspended(target, cluster, run.name, area, run.holds_secrets)
            return run.finish()
        except JobSuspended:
            raise
        except BaseException:
            run.clear()
            raise


class _PodRun:
    def __init__(
        self,
        target: KubernetesCompute,
        job: StepJob,
        watcher: JobWatcher,
        area: StagingArea,
        cluster: Cluster,
    ) -> None:
        self._target, self._job, self._watcher = target, job, watcher
        self._area, self._cluster = area, cluster
        self._plan = plan_environment(job.run_configuration)
        # With what it asks for where the target does not say; a node's own limits are the scheduler's affair.
        self._limits = target.limits.or_else(job.resources, lambda: _ANY_NUMBER)
        self.name = pod_name(job, area)
        self.step = step_label(job, area) if job.step else None

    @property
    def _seconds(self) -> float:
        """How long the pod may be active, should nobody end it."""
        limits = [self._target.max_hours * 3600]
        if self._job.time_limit:
            limits.append(self._job.time_limit + _SLACK)
        if self._job.task_limit:
            limits.append(self._job.task_limit + _TASK_SLACK)
        return min(limits)

    @property
    def was_started(self) -> bool:
        """Whether an earlier call, in whatever process, came to the point of creating the pod."""
        return self._area.store.stat(_STARTED) is not None

    @property
    def holds_secrets(self) -> bool:
        """Whether the script is given what Airflow masks in logs: then it may print it.

        That it is to be masked only a worker knows, who has rendered the step's templates.
        """
        layout = self._layout(self._target.python)
        given = (*layout.environment.values(), *layout.command, layout.context())
        return any(is_masked(text) for text in given)

    def start(self) -> None:
        """Stage the job and create its pod."""
        self._sweep()
        with self._watcher.phase("environment"):
            image = self._image()
        staged = self._staged(image.python)
        with self._watcher.phase("stage"):
            variables = staged.stage(self._watcher)
        self._mask(variables)
        started = {"python": image.python, "environment": _described(self._plan, image)}
        self._area.store.write(_STARTED, json.dumps(started).encode())
        operator = operator_for(
            self._target,
            name=self.name,
            image=image.name,
            command=staged.command(image.starter),
            variables=variables,
            labels=labels_of(self._job, self._area),
            limits=self._limits,
            seconds=int(self._seconds),
        )
        if self._watcher.stopped:
            return
        pod = operator.build_pod_request_obj()
        pod.metadata.namespace = self._cluster.namespace
        self._cluster.create(pod)
        self._watcher.on_line("kubernetes", f"Pod {self.name} in namespace {self._cluster.namespace}.")

    def finish(self) -> JobOutcome:
        """Stay with the pod, should it still run, and publish what came of it; nothing is left of it then."""
        started: Mapping[str, Any] = json.loads(self._area.store.read(_STARTED))
        staged = self._staged(started["python"])
        position = LogPosition.noted(self._area.store)
        patience = self._target.startup_minutes * 60
        followed = FollowedPod(self._cluster, self.name, staged.report, patience, position)
        with self._watcher.phase("script"):
            pod, problem = followed.follow(self._watcher)
        result = problem or how_it_ended(
            pod, staged.report.result(), self._limits, self._watcher.stopped, self._seconds
        )
        described = {**started["environment"], "pod": self.name, "namespace": self._cluster.namespace}
        outcome = staged.outcome(result, self._watcher, described)
        self.clear()
        return outcome

    def lost(self) -> JobOutcome:
        """The end of a job that somebody has cleared away; a second pod would make it anew."""
        result = how_it_ended(None, None, self._limits, self._watcher.stopped, 0)
        self.clear()
        error, by_script = explain(result, self._watcher)
        return JobOutcome(None, None, error, by_script=by_script)

    def clear(self) -> None:
        """Delete the pod and what was staged; where that cannot be, there is a deadline and a later sweep."""
        if self._watcher.stopped:
            self._cluster.try_to_delete(self.name)
        else:
            with contextlib.suppress(ComputeTargetException):
                self._cluster.delete(self.name)
        self._area.delete()

    def _layout(self, python: str) -> Layout:
        folders = [volume.shared for volume in self._target.claimed_volumes]
        return Layout(self._job, ROOT, python, self._plan.environment_variables, folders)

    def _staged(self, python: str) -> StagedJob:
        layout = self._layout(python)
        seconds = self._seconds + self._target.startup_minutes * 60 + _SLACK
        return StagedJob(self._job, layout, self._area, min(seconds, LONGEST_SIGNATURE))

    def _image(self) -> PodImage:
        job = self._job

        def tell(line: str) -> None:
            self._watcher.on_line("environment", line)

        return image_for(self._target, self._plan, job.locks, job.environments, tell)

    def _mask(self, variables: Mapping[str, str]) -> None:
        """Keep signatures out of the task's log, whoever would write them there."""
        from airflow.sdk.log import mask_secret

        for value in variables.values():
            mask_secret(value.partition("?")[2].partition(" ")[0])

    def _sweep(self) -> None:
        """End what earlier tries of this step have left: their workers are gone."""
        with contextlib.suppress(Exception):  # nothing depends on it
            for pod in self._cluster.labelled(STEP_LABEL, self.step) if self.step else ():
                if pod.metadata.name != self.name:
                    self._cluster.try_to_delete(pod.metadata.name)
        self._area.sweep(self.step)


def _described(plan: EnvironmentPlan, image: PodImage) -> dict[str, Any]:
    return {**describe_environment(plan, image.lock), "image": image.name, "python": image.python}
