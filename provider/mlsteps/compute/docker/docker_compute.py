"""DockerCompute: the script runs in a container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.docker.mounts import ExtraMount
from mlsteps.compute.docker.ownership import checked_user
from mlsteps.compute.input_cache import DEFAULT_GIGABYTES, checked_gigabytes
from mlsteps.compute.packages import checked_packages, with_packages
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.docker.engine_job import EngineJob
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob
    from mlsteps.environment import EnvironmentLocks, EnvironmentPlan
    from mlsteps.environment.image_builder import BuiltImage, ImageBuilder

DEFAULT_HOURS = 24.0
# Azure gives out keys to sign with for a week at most.
_MOST_HOURS = 160
_PULL = ("missing", "always", "never")


class DockerCompute(ComputeTarget):
    """Runs scripts in containers of a Docker engine, on the worker's machine or on another one.

    The image needs Python 3.9 or newer and nothing else. An environment that names an image is that image;
    one that names packages becomes an image that is made once, on top of ``base_image``. The container sees
    the script's inputs, which it cannot write to, its outputs, its working directory, and no other folder;
    its environment variables are the image's and those that were declared. It is gone when the step is over,
    also after the worker was killed. Where the engine does not see the worker's folders, data on Azure Blob
    goes straight to the container and back, by signatures that are good for this job alone.

    :param name: The name it goes by.
    :param url: The engine, such as ``unix:///var/run/docker.sock``; default: ``DOCKER_HOST``, or that socket.
    :param base_image: For environments that name none. ``{python}`` in it stands for the version that is
        asked for, as in ``python:{python}-slim``.
    :param packages: pip requirements for steps that ask for no environment.
    :param docker_conn_id: Airflow's connection of type ``docker`` to the registry that images come from.
    :param cpus: How many processors it may keep busy; a part of one is allowed.
    :param memory: What it may use, as bytes or as text such as ``2g``; more ends the script.
    :param shm_size: Of ``/dev/shm``, which data loaders of several processes need.
    :param gpus: How many, or ``all``.
    :param user: ``uid:gid`` that the script runs as and its outputs belong to. Default: the worker's own.
    :param network_mode: As Docker calls it: ``bridge``, ``host``, ``none``, or a network's name.
    :param mounts: Further folders: ``/on/engine:/in/container``, with ``:ro`` for those that are only read.
    :param pull: When to fetch an image: ``missing``, ``always`` or ``never``.
    :param push_to: A repository that made images are pushed to, for workers with other engines.
    :param input_cache_gb: How much of what was fetched is kept for other steps, in 10^9 bytes.
    :param shared_disk: Whether the engine sees the worker's folders at the same paths, so that they can be
        mounted. Default: found out. ``False`` lets data go straight between
        the storage account and the container also where they could be.
    :param max_hours: How long a job may last for which nothing is mounted; at most 160.
    :param engine_conn_id: In place of ``url``, Airflow's connection that has the engine's address and the
        paths of certificates. Looked up when a job starts.
    :raises ComputeTargetException: a setting is unusable.
    """

    kind = "docker"
    type = "Docker"

    def __init__(
        self,
        name: str = "docker",
        url: str | None = None,
        base_image: str | None = None,
        packages: Sequence[str] = (),
        docker_conn_id: str | None = None,
        cpus: float | None = None,
        memory: str | int | None = None,
        shm_size: str | int | None = None,
        gpus: int | str | None = None,
        user: str | None = None,
        network_mode: str | None = None,
        mounts: Sequence[str] = (),
        pull: str = "missing",
        push_to: str | None = None,
        input_cache_gb: float = DEFAULT_GIGABYTES,
        shared_disk: bool | None = None,
        max_hours: float = DEFAULT_HOURS,
        engine_conn_id: str | None = None,
    ) -> None:
        super().__init__(name)
        where = f"Compute target {name!r}"
        if pull not in _PULL:
            raise ComputeTargetException(f"{where}: pull is one of {', '.join(_PULL)}, got {pull!r}.")
        if not isinstance(shared_disk, (bool, type(None))):
            raise ComputeTargetException(
                f"{where}: shared_disk is true or false, or left out, got {shared_disk!r}."
            )
        if type(max_hours) not in (int, float) or not 0 < max_hours <= _MOST_HOURS:
            raise ComputeTargetException(
                f"{where}: max_hours is a number above 0 and at most {_MOST_HOURS}, got {max_hours!r}."
            )
        if not isinstance(engine_conn_id, (str, type(None))):
            raise ComputeTargetException(
                f"{where}: engine_conn_id is the id of an Airflow connection, got {engine_conn_id!r}."
            )
        if engine_conn_id is not None and url is not None:
            raise ComputeTargetException(f"{where}: url and engine_conn_id both say where the engine is.")
        self.url = url
        self.engine_conn_id = engine_conn_id
        self.base_image = base_image
        self.packages = checked_packages(where, packages)
        self.docker_conn_id = docker_conn_id
        self.limits = ContainerLimits.checked(where, cpus, memory, shm_size, gpus)
        self.user = checked_user(where, user)
        self.network_mode = network_mode
        self.mounts = tuple(mounts)
        self.extra_mounts = tuple(ExtraMount.parse(where, text) for text in mounts)
        self.pull = pull
        self.push_to = push_to
        self.input_cache_gb = checked_gigabytes(where, input_cache_gb)
        self.shared_disk = shared_disk
        self.max_hours = max_hours

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        settings = {
            "url": self.url,
            "engine_conn_id": self.engine_conn_id,
            "base_image": self.base_image,
            "packages": list(self.packages) or None,
            "docker_conn_id": self.docker_conn_id,
            **self.limits.given,
            "user": self.user,
            "network_mode": self.network_mode,
            "mounts": list(self.mounts) or None,
            "pull": self.pull if self.pull != "missing" else None,
            "push_to": self.push_to,
            "input_cache_gb": self.input_cache_gb if self.input_cache_gb != DEFAULT_GIGABYTES else None,
            "shared_disk": self.shared_disk,
            "max_hours": self.max_hours if self.max_hours != DEFAULT_HOURS else None,
        }
        known = {key: value for key, value in settings.items() if value is not None}
        return {"type": self.kind, "name": self.name, **known}

    def environment_identity(
        self, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
    ) -> Mapping[str, Any]:
        """Packages for the image's Python; of an image that is named, or used as it is, its digest.

        See :meth:`ComputeTarget.environment_identity`. Asks the engine, which may have to fetch the image.
        """
        from mlsteps.compute.docker.engine import connected
        from mlsteps.compute.docker.engine_connection import address_of
        from mlsteps.environment import EnvironmentKind, environment_identity, lock_for

        plan = with_packages(plan, self.packages)
        with connected(self.name, address_of(self.name, self.url, self.engine_conn_id)) as engine:
            base = self._builder(folder, engine).base(plan)
        lock = lock_for(plan, locks, image_python=base.minor)
        if plan.kind in (EnvironmentKind.WORKER, EnvironmentKind.INTERPRETER):
            interpreter = {"interpreter": plan.interpreter} if plan.interpreter else {}
            return {"kind": EnvironmentKind.CONTAINER.value, "image": base.digest, **interpreter}
        return environment_identity(plan, lock, base.digest)

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job in a container of its own; see :meth:`ComputeTarget.run`."""
        from mlsteps.compute.docker.engine import connected, sign_in
        from mlsteps.compute.docker.engine_connection import address_of
        from mlsteps.compute.docker.engine_job import EngineJob
        from mlsteps.environment import plan_environment

        plan = with_packages(plan_environment(job.run_configuration), self.packages)
        address = address_of(self.name, self.url, self.engine_conn_id)
        with connected(self.name, address) as engine:
            sign_in(engine, self.name, address, self.docker_conn_id)
            with watcher.phase("environment"):
                image = self._image(plan, job, watcher, engine)
            run = EngineJob(self, engine, job, watcher, plan, image)
            if self._shares_disk(run):
                from mlsteps.compute.docker.mounted_run import run_mounted

                return run_mounted(run)
            from mlsteps.compute.docker.staged_run import run_staged

            return run_staged(run)

    def _shares_disk(self, run: EngineJob) -> bool:
        if self.shared_disk is not None:
            return self.shared_disk
        from mlsteps.compute.docker.shared_disk import shares_disk

        with run.watcher.phase("environment"):
            shares = shares_disk(run.engine, run.image.id, run.job.scratch, run.job.environments)
        if not shares:
            run.watcher.on_line(
                "mlsteps",
                "The Docker engine does not see this worker's folders: data goes by a storage account.",
            )
        return shares

    def _image(self, plan: EnvironmentPlan, job: StepJob, watcher: JobWatcher, engine: Any) -> BuiltImage:
        def tell(line: str) -> None:
            watcher.on_line("environment", line)

        return self._builder(job.environments, engine).get_or_build(plan, job.locks, tell)

    def _builder(self, folder: Path, engine: Any) -> ImageBuilder:
        from mlsteps.compute.docker.engine import registry_login
        from mlsteps.environment.image_builder import ImageBuilder

        return ImageBuilder(
            engine,
            folder,
            base_image=self.base_image,
            pull=self.pull,
            push_to=self.push_to,
            login=registry_login(self.docker_conn_id),
            build_network=self.network_mode if self.network_mode in ("host", "none") else None,
        )
