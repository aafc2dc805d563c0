"""The choices of a demo: where it keeps what it makes, and where its scripts run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Storage(str, Enum):
    """A folder, or an emulator of Azure Blob Storage."""

    FOLDER = "folder"
    AZURITE = "azurite"


class Compute(str, Enum):
    """This machine, or containers of a Docker engine."""

    LOCAL = "local"
    DOCKER = "docker"


@dataclass(frozen=True)
class Place:
    """Both.

    :param image: What containers are made from.
    """

    storage: Storage = Storage.FOLDER
    compute: Compute = Compute.LOCAL
    image: str = "python:{python}-slim"

    @property
    def folder(self) -> str:
        """Name of the workspace's folder."""
        storage = "" if self.storage is Storage.FOLDER else f"-{self.storage.value}"
        compute = "" if self.compute is Compute.LOCAL else f"-{self.compute.value}"
        return f"workspace{storage}{compute}"

    @property
    def make_command(self) -> str:
        """How make is called for it."""
        storage = "" if self.storage is Storage.FOLDER else f" WORKSPACE={self.storage.value}"
        compute = "" if self.compute is Compute.LOCAL else f" COMPUTE={self.compute.value}"
        image = f" IMAGE={self.image}" if self.image != Place.image else ""
        return f"make demo{storage}{compute}{image}"
