"""``ImageBuilder``: container images from plans, each made once by one Docker engine and then found again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.environment.build_context import ContextStore, context_digest, open_context
from mlsteps.environment.image_context import add_text, dockerfile_archive
from mlsteps.environment.image_engine import ImageEngine, RegistryLogin
from mlsteps.environment.image_packages import ENVIRONMENT_FOLDER, fill_environment
from mlsteps.environment.image_probe import ImageFacts
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.lock_store import EnvironmentLocks, lock_for
from mlsteps.environment.locking import minor_version
from mlsteps.environment.locks import exclusive
from mlsteps.environment.plan import EnvironmentKind, EnvironmentPlan
from mlsteps.environment.spec import PythonEnvironmentSpec, python_matches
from mlsteps.exceptions import EnvironmentBuildError, RunConfigurationException

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "mlsteps-env"
DOCKERFILE_REPOSITORY = "mlsteps-image"
DEFAULT_TIMEOUT = 3600.0

OnLine = Callable[[str], None]

_log = logging.getLogger(__name__)
_FORMAT = 1  # goes up when the same packages would make another image


@dataclass(frozen=True)
class BuiltImage:
    """An image that a step can be run in.

    Args:
        name: what to run: the name that was asked for, or the tag that was made. After a push the name in
            that registry, with its digest.
        id: of its content in this engine.
        python: the path of the interpreter to run scripts with.
        base: the image that it was made from; itself if nothing was added.
        lock: the packages that were added.
    """

    name: str
    id: str
    python: str
    base: ImageFacts
    lock: EnvironmentLock | None = None


class ImageBuilder:
    """Makes the image for a plan, or finds the one that was made (no SDK v1 counterpart).

    An image that is named is used as it is if no packages are asked for. Packages are fetched by this machine
    for the image's own Python and added as one layer, so no build needs a network or holds a credential.
    Processes of one machine that need the same image wait for the one that makes it.

    Args:
        engine: a client of the Docker engine, or its URL; ``None`` for ``DOCKER_HOST`` or the usual socket.
        folder: on this machine, for locks and what is known of images.
        base_image: for plans that name none; ``{python}`` in it stands for the minor version asked for, as in
            ``python:{python}-slim``.
        push_to: a repository, such as ``registry.example.com/team/mlsteps``, that images are pushed to, for
            machines with other engines.
        pull: when to fetch images that are named: ``missing``, ``always`` or ``never``.
        login: who may fetch from and push to that registry.
        build_network: of builds from Dockerfiles: ``host``, ``none``, or ``None`` for the engine's default.
        timeout: seconds that one image may take.
    """

    def __init__(
        self,
        engine: DockerClient | str | None = None,
        folder: str | os.PathLike[str] = ".",
        base_image: str | None = None,
        push_to: str | None = None,
        pull: str = "missing",
        login: RegistryLogin | None = None,
        build_network: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._folder = Path(folder).absolute()
        self._engine = ImageEngine(engine, self._folder / "images", build_network, timeout, pull)
        self._base_image = base_image
        self._push_to = push_to.rstrip("/") if push_to else None
        self._login = login
        self._timeout = timeout

    def base(
        self, plan: EnvironmentPlan, on_line: OnLine | None = None, contexts: ContextStore | None = None
    ) -> ImageFacts:
        """Return what is known of the image that ``plan`` starts from; fetch or build it if need be.

        Args:
            plan: what a step runs in.
            on_line: gets progress; by default the log.
            contexts: the record store, where registered build contexts lie.

        Raises:
            RunConfigurationException: it names no image, and there is no default one.
            EnvironmentBuildError: it could not be fetched or built, or there is no Python in it.
        """
        tell = on_line or _log.info
        if plan.dockerfile or plan.build_context is not None:
            return self._from_dockerfile(plan, tell, contexts)
        name = plan.image or self._default_image(plan)
        login = self._login
        if plan.registry is not None and plan.registry.username and plan.registry.password:
            login = RegistryLogin(plan.registry.username, plan.registry.password)
        return self._engine.facts(name, tell, login)

    def get_or_build(
        self,
        plan: EnvironmentPlan,
        locks: EnvironmentLocks | None,
        on_line: OnLine | None = None,
        contexts: ContextStore | None = None,
    ) -> BuiltImage:
        """Return the image for ``plan``; make it if nobody did yet.

        Args:
            plan: what a step runs in.
            locks: what packages were resolved to; needed only if ``plan`` asks for packages.
            on_line: gets progress; by default the log.
            contexts: the record store, where registered build contexts lie.

        Raises:
            RunConfigurationException: it names no image and there is no default one, or the image has
                another Python than is asked for.
            EnvironmentBuildError: something of it could not be fetched, resolved or built.
        """
        tell = on_line or _log.info
        base = self.base(plan, tell, contexts)
        if plan.spec is None:
            return BuiltImage(base.name, base.id, base.python, base)
        version = tuple(map(int, base.version.split(".")))
        if not python_matches(plan.spec.python, (version[0], version[1], version[2])):
            raise RunConfigurationException(
                f"Image {base.name!r} has Python {base.version}, and the environment asks for "
                f"{plan.spec.python}. Name an image that has it, or leave the version out."
            )
        lock = lock_for(plan, locks, tell, base.minor)
        if lock is None:
            raise EnvironmentBuildError(f"The packages of {plan.spec} are not resolved, so no image is made.")
        if not lock.packages:
            return BuiltImage(base.name, base.id, base.python, base, lock)
        return self._with_packages(plan, base, lock, tell)

    def _default_image(self, plan: EnvironmentPlan) -> str:
        if self._base_image is None:
            raise RunConfigurationException(
                "The environment names no container image, and the compute target has no default one. Set "
                "base_image on the compute target, such as 'python:{python}-slim', or docker.base_image."
            )
        wanted = plan.spec.python if plan.spec is not None else None
        if "{python}" in self._base_image:
            return self._base_image.replace("{python}", minor_version(PythonEnvironmentSpec(wanted)))
        return self._base_image

    def _from_dockerfile(
        self, plan: EnvironmentPlan, tell: OnLine, contexts: ContextStore | None
    ) -> ImageFacts:
        context = plan.build_context
        if context is not None:
            content, dockerfile = context_digest(context), context.dockerfile_path
        else:
            content, dockerfile = str(plan.dockerfile), "Dockerfile"
        tag = f"{DOCKERFILE_REPOSITORY}:{_hash(content, dockerfile)}"
        with self._alone(tag, tell):
            if not self._engine.has(tag):
                archive = (
                    open_context(context, contexts) if context else dockerfile_archive(str(plan.dockerfile))
                )
                tell(f"Building image {tag} from its Dockerfile.")
                self._engine.build(archive, tag, dockerfile, tell)
        return self._engine.facts(tag, tell, None)

    def _with_packages(
        self, plan: EnvironmentPlan, base: ImageFacts, lock: EnvironmentLock, tell: OnLine
    ) -> BuiltImage:
        isolated = plan.kind is not EnvironmentKind.CONTAINER
        key = _hash(base.digest, lock.digest, isolated, _FORMAT)
        tag = f"{REPOSITORY}:{key}"
        python = f"{ENVIRONMENT_FOLDER}/bin/python"
        pushed = f"{self._push_to}:{key}" if self._push_to else None
        with self._alone(tag, tell):
            if not self._engine.has(tag) and not (
                pushed and self._engine.fetched_as(pushed, tag, self._login)
            ):
                tell(f"Building image {tag}: {lock} on {base.name}.")
                self._add_layer(plan, base, lock, tag, tell, isolated)
            name = self._engine.push(tag, pushed, self._login, tell) if pushed else tag
        return BuiltImage(name, self._engine.id_of(tag), python, base, lock)

    def _add_layer(
        self,
        plan: EnvironmentPlan,
        base: ImageFacts,
        lock: EnvironmentLock,
        tag: str,
        tell: OnLine,
        isolated: bool,
    ) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="image-", dir=self._folder) as name:
            folder = Path(name) / "env"
            folder.mkdir()
            fill_environment(folder, lock, base, tell, plan.secrets, self._timeout, not isolated)
            dockerfile = (
                f"FROM {base.id}\nCOPY env {ENVIRONMENT_FOLDER}\n"
                f"ENV PATH={ENVIRONMENT_FOLDER}/bin:$PATH VIRTUAL_ENV={ENVIRONMENT_FOLDER}\n"
                f'LABEL mlsteps.lock="{lock.digest}" mlsteps.base="{base.digest}"\n'
            )
            with tempfile.TemporaryFile(dir=self._folder) as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                    add_text(archive, "Dockerfile", dockerfile)
                    archive.add(folder, "env", filter=_owned_by_root)
                file.seek(0)
                self._engine.build(file, tag, "Dockerfile", tell)

    def _alone(self, tag: str, tell: OnLine) -> Any:
        def waiting(holder: str, seconds: float) -> None:
            tell(f"Waiting {seconds:.0f} s for image {tag}: {holder} makes it.")

        return exclusive(self._folder / "locks" / tag.replace(":", "-"), self._timeout, waiting)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
