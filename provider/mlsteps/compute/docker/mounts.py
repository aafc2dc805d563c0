"""Which folders a container sees: those of its job, at the paths that they have on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.placement import Placement


@dataclass(frozen=True)
class ExtraMount:
    """A folder of the engine's machine that somebody wants in the container.

    :param source, target: Its paths there and in the container.
    """

    source: str
    target: str
    read_only: bool

    @classmethod
    def parse(cls, where: str, text: object) -> ExtraMount:
        """Read ``source:target`` or ``source:target:ro``.

        :raises ComputeTargetException: it is something else.
        """
        parts = text.split(":") if isinstance(text, str) else []
        if len(parts) == 3 and parts[2] in ("ro", "rw"):
            source, target, mode = parts
        elif len(parts) == 2:
            (source, target), mode = parts, "rw"
        else:
            source, target, mode = "", "", ""
        if not source.startswith("/") or not target.startswith("/"):
            raise ComputeTargetException(
                f"{where}: a mount is '/on/engine:/in/container', with ':ro' if it is only read, "
                f"got {text!r}."
            )
        return cls(source, target, mode == "ro")

    def as_docker(self) -> Any:
        """For Docker's SDK."""
        from docker.types import Mount

        return Mount(self.target, self.source, type="bind", read_only=self.read_only)


def mounts_of(placed: Placement) -> list[Any]:
    """What a job needs, and nothing beside it."""
    writable: dict[Path, bool] = {placed.folder: False, **dict.fromkeys(output_folders(placed), False)}
    read_only = [placed.launcher_zip, placed.folder / "inputs", *placed.read_in_place()]
    if placed.job.snapshot is not None:
        read_only.append(placed.job.snapshot)
    made = {**writable, **{path: True for path in read_only if path.exists()}}
    # Docker mounts in this order: what lies in another one comes after it.
    return [ExtraMount(str(path), str(path), only).as_docker() for path, only in sorted(made.items())]


def output_folders(placed: Placement) -> list[Path]:
    """Folders that are there before the script starts; of an output that it makes itself, the one above."""
    folders = []
    for path, is_made_before in placed.written_in_place():
        folder = path if is_made_before else path.parent
        folder.mkdir(parents=True, exist_ok=True)
        folders.append(folder)
    return folders
