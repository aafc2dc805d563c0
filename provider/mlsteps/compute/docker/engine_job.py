"""A job on an engine that is connected and has its image: what is alike however its data gets there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlsteps.compute.docker.container import JobContainer
from mlsteps.compute.docker.ownership import worker_user
from mlsteps.compute.placement import describe_environment

if TYPE_CHECKING:
    from docker import DockerClient

    from mlsteps.compute.docker.docker_compute import DockerCompute
    from mlsteps.compute.job import JobWatcher, StepJob
    from mlsteps.environment import EnvironmentPlan
    from mlsteps.environment.image_builder import BuiltImage


@dataclass(frozen=True)
class EngineJob:
    """One job, what it runs in, and where.

    :param target: Whose settings hold.
    """

    target: DockerCompute
    engine: DockerClient
    job: StepJob
    watcher: JobWatcher
    plan: EnvironmentPlan
    image: BuiltImage

    @property
    def python(self) -> str:
        """The interpreter that the script gets; the launcher's is the image's own."""
        return self.plan.interpreter or self.image.python

    @property
    def user(self) -> str:
        """``uid:gid`` that the script runs as."""
        return self.target.user or worker_user()

    @property
    def described(self) -> dict[str, Any]:
        """The environment, for the record."""
        image = self.image
        return {
            **describe_environment(self.plan, image.lock),
            "image": image.name,
            "image_digest": image.base.digest if image.base.id == image.id else image.id,
            "base_image_digest": image.base.digest,
        }

    @cached_property
    def image_variables(self) -> dict[str, str]:
        """The environment variables of the image."""
        config = self.engine.api.inspect_image(self.image.id)["Config"] or {}
        return dict(text.partition("=")[::2] for text in config.get("Env") or ())

    def container(
        self,
        command: Sequence[str],
        working_directory: str,
        mounts: Sequence[Any] = (),
        labels: Mapping[str, str] | None = None,
    ) -> JobContainer:
        """The container, which is not made yet.

        :param command: Starts the launcher.
        :param mounts: Those that the job needs; the target's own come after them.
        """
        target = self.target
        return JobContainer(
            self.engine,
            image=self.image.id,
            command=command,
            mounts=[*mounts, *(extra.as_docker() for extra in target.extra_mounts)],
            limits=target.limits.or_else(self.job.resources, lambda: int(self.engine.info()["NCPU"])),
            user=self.user,
            network_mode=target.network_mode,
            working_directory=working_directory,
            job=self.job.id,
            labels=labels,
        )
