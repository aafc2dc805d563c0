"""Which image a pod runs: one that is named, or one that is made and pushed for the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.packages import with_packages
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute
    from mlsteps.environment import EnvironmentLock, EnvironmentLocks, EnvironmentPlan, ImageBuilder


@dataclass(frozen=True)
class PodImage:
    """What a pod runs.

    :param name: With which the nodes pull it.
    :param python: The script's interpreter in it.
    :param starter: An interpreter for the launcher.
    """

    name: str
    python: str
    starter: str
    lock: EnvironmentLock | None = None


def image_for(
    target: KubernetesCompute,
    plan: EnvironmentPlan,
    locks: EnvironmentLocks | None,
    folder: Path,
    tell: Callable[[str], None],
) -> PodImage:
    """The image for a plan; made if it has to be.

    :param folder: On this machine, for what is known of images.
    :raises ComputeTargetException: it would have to be made, and the target cannot.
    """
    plan = with_packages(plan, target.packages)
    if not _has_to_be_made(plan):
        python = plan.interpreter or target.python
        return PodImage(_named(target, plan), python, target.python)
    with _builder(target, folder) as builder:
        made = builder.get_or_build(plan, locks, tell)
    return PodImage(made.name, plan.interpreter or made.python, made.python, made.lock)


def image_identity(
    target: KubernetesCompute, plan: EnvironmentPlan, locks: EnvironmentLocks, folder: Path
) -> Mapping[str, Any]:
    """What the image is for the results of a script. One that is named counts by its name."""
    from mlsteps.environment import EnvironmentKind, environment_identity, lock_for

    plan = with_packages(plan, target.packages)
    if not _has_to_be_made(plan):
        interpreter = {"interpreter": plan.interpreter} if plan.interpreter else {}
        return {"kind": EnvironmentKind.CONTAINER.value, "image": _named(target, plan), **interpreter}
    with _builder(target, folder) as builder:
        base = builder.base(plan)
    return environment_identity(plan, lock_for(plan, locks, image_python=base.minor), base.digest)


def _has_to_be_made(plan: EnvironmentPlan) -> bool:
    return plan.spec is not None or plan.dockerfile is not None or plan.build_context is not None


def _named(target: KubernetesCompute, plan: EnvironmentPlan) -> str:
    name = plan.image or target.base_image
    if name is None:
        raise ComputeTargetException(
            f"Compute target {target.name!r}: the step's environment names no image, and the target has no "
            f"base_image. Name one that the nodes can pull, such as 'python:3.11-slim'."
        )
    if "{python}" in name:
        import sys

        return name.replace("{python}", f"{sys.version_info.major}.{sys.version_info.minor}")
    return name


@contextmanager
def _builder(target: KubernetesCompute, folder: Path) -> Iterator[ImageBuilder]:
    from mlsteps.compute.docker.engine import connected, registry_login
    from mlsteps.compute.docker.engine_connection import address_of
    from mlsteps.environment import ImageBuilder

    if target.push_to is None:
        raise ComputeTargetException(
            f"Compute target {target.name!r}: the step asks for packages, so an image has to be made. Set "
            f"push_to to a repository that the nodes can pull from (and docker_url to an engine that makes "
            f"it), or name an image that has the packages."
        )
    address = address_of(target.name, target.docker_url, target.docker_engine_conn_id)
    with connected(target.name, address) as engine:
        yield ImageBuilder(
            engine,
            folder,
            base_image=target.base_image,
            push_to=target.push_to,
            login=registry_login(target.docker_conn_id),
        )
