"""Volume claims that hold the same files as folders of the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlsteps.compute.staged import SharedFolder
from mlsteps.exceptions import ComputeTargetException


@dataclass(frozen=True)
class ClaimedVolume:
    """A volume claim, and the folder that is it on the worker.

    :param folder: On the worker.
    :param claim: Name of the PersistentVolumeClaim, in the pods' namespace.
    :param mount: Where pods have it.
    """

    folder: Path
    claim: str
    mount: str

    @classmethod
    def checked(cls, where: str, volumes: object) -> tuple[ClaimedVolume, ...]:
        """Read ``{folder: {claim: ..., mount: ...}}``.

        :raises ComputeTargetException: it is something else.
        """
        if not isinstance(volumes, Mapping):
            raise ComputeTargetException(_wrong(where, volumes))
        return tuple(cls._one(where, folder, given) for folder, given in volumes.items())

    @classmethod
    def _one(cls, where: str, folder: object, given: Any) -> ClaimedVolume:
        if not isinstance(given, Mapping) or not set(given) <= {"claim", "mount"}:
            raise ComputeTargetException(_wrong(where, {folder: given}))
        claim, mount = given.get("claim"), given.get("mount", folder)
        paths = all(isinstance(path, str) and path.startswith("/") for path in (folder, mount))
        if not paths or not isinstance(claim, str) or not claim:
            raise ComputeTargetException(_wrong(where, {folder: given}))
        return cls(Path(str(folder)), claim, str(mount))

    @property
    def shared(self) -> SharedFolder:
        """As a staged job knows it."""
        return SharedFolder(self.folder, self.mount)


def _wrong(where: str, given: object) -> str:
    return (
        f"{where}: volumes says which folder of the worker is which volume claim, such as "
        f"{{'/data/lake': {{'claim': 'lake', 'mount': '/lake'}}}}, got {given!r}."
    )
