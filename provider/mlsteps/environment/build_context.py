"""``DockerBuildContext``: a folder with a Dockerfile that an image is made from (SDK v1)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlsteps.environment.image_context import context_archive
from mlsteps.environment.redaction import redact
from mlsteps.environment.section import Section
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from typing import BinaryIO

STORED_CONTEXTS = "mlsteps/registry/build-contexts"


class ContextStore(Protocol):
    """The part of a store that a registered build context needs."""

    def stat(self, path: str) -> object | None:
        """Something if there is a file."""

    def put_file(self, source: Path, path: str) -> None:
        """Copy a local file to the store."""

    def open(self, path: str) -> BinaryIO:
        """The file's bytes as a stream."""


@dataclass(repr=False)
class DockerBuildContext(Section):
    """A folder to make an image from (SDK v1 ``DockerBuildContext``).

    Args:
        location_type: ``localDirectory``; ``storageAccount`` once the environment is registered: the folder
            is then kept on the workspace's record store.
        location: the folder, or the archive of it on the store.
        dockerfile_path: the Dockerfile, relative to the folder.
    """

    location_type: Any = None
    location: str | None = None
    dockerfile_path: str = "Dockerfile"

    class LocationType(Enum):
        """Where a build context lies."""

        Git = "git"
        StorageAccount = "storageAccount"
        LocalDirectory = "localDirectory"

    @staticmethod
    def from_local_directory(
        workspace: Any, path: str | os.PathLike[str], dockerfile_path: str = "Dockerfile"
    ) -> DockerBuildContext:
        """Return the context that is a folder of this machine. It is copied nowhere until it is registered.

        Raises:
            UserErrorException: the folder or its Dockerfile does not exist.
        """
        folder = Path(path).expanduser().absolute()
        if not (folder / dockerfile_path).is_file():
            raise UserErrorException(
                f"Docker build context {str(path)!r}: there is no {dockerfile_path!r} in it."
            )
        return DockerBuildContext(
            DockerBuildContext.LocationType.LocalDirectory.value, str(folder), dockerfile_path
        )

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return bool(_value(self.location_type) == DockerBuildContext.LocationType.LocalDirectory.value)


def context_digest(context: DockerBuildContext) -> str:
    """Return what tells the files of two contexts apart; the same before and after it was registered.

    Raises:
        UserErrorException: the folder is gone.
    """
    if not context.is_local:
        return Path(str(context.location)).stem
    return hashlib.sha256(_archive(context)).hexdigest()


def store_context(context: DockerBuildContext, store: ContextStore, scratch: Path) -> DockerBuildContext:
    """Return ``context`` as kept on ``store``; a folder is archived and copied there unless it is already."""
    if not context.is_local:
        return context
    archive = _archive(context)
    path = f"{STORED_CONTEXTS}/{hashlib.sha256(archive).hexdigest()}.tar"
    if store.stat(path) is None:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=scratch, prefix="context-") as part:
            part.write(archive)
            part.flush()
            store.put_file(Path(part.name), path)
    kept = DockerBuildContext.LocationType.StorageAccount.value
    return DockerBuildContext(kept, path, context.dockerfile_path)


def open_context(context: DockerBuildContext, store: ContextStore | None) -> bytes:
    """Return the archive of a context, for the engine that builds from it.

    Raises:
        UserErrorException: it lies where nobody here can read it.
    """
    if context.is_local:
        return _archive(context)
    if store is None or not str(context.location).startswith(STORED_CONTEXTS):
        raise UserErrorException(
            f"Docker build context {redact(str(context.location))!r}: only folders and registered contexts "
            "can be built here. Use DockerBuildContext.from_local_directory."
        )
    with store.open(str(context.location)) as file:
        return file.read()


def _archive(context: DockerBuildContext) -> bytes:
    folder = Path(str(context.location))
    if not (folder / context.dockerfile_path).is_file():
        missing = str(folder / context.dockerfile_path)
        raise UserErrorException(f"Docker build context: there is no {missing!r}.")
    return context_archive(folder)


def _value(location_type: Any) -> Any:
    return getattr(location_type, "value", location_type)
