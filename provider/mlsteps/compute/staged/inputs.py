"""Inputs as signed addresses, for a launcher that fetches them itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.filesize import decimal

from mlsteps.compute.staged.copying import copy_file
from mlsteps.compute.staging import THREADS, name_of
from mlsteps.data.local_paths import checked_name
from mlsteps.exceptions import DataNotFoundException
from mlsteps.launcher.digest import FILE_PREFIX
from mlsteps.launcher.inputs import InputFile, InputSpec
from mlsteps.launcher.parallel import by_threads

if TYPE_CHECKING:
    from mlsteps.compute.job import JobInput
    from mlsteps.data.stores import FileInfo, Store
    from mlsteps.launcher.places import Place


def signed_input(
    port: JobInput,
    path: str,
    area: Store,
    place: Place,
    seconds: float,
    tell: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
) -> InputSpec:
    """An input as it is listed now, each file with an address that opens this one and nothing else.

    Files of a store that signs nothing, such as a folder, are copied to the staging area first.

    :param path: Where the job shall have it.
    :param area, place: The staging area, and how the job reaches it.
    :param seconds: How long addresses are good.
    :param tell: Called with a line where data has to pass through this machine.
    :param stopped: When it says so, what has not been copied is left out: the job will not start.
    :raises DataNotFoundException: nothing is there.
    """
    single = port.store.stat(port.path)
    listed = [single] if single is not None else list(port.store.list(port.path))
    if not listed and port.store.local_path(port.path) is None:
        raise DataNotFoundException(f"Input {port.name!r}: nothing is at {port.store.url(port.path)}.")
    for info in listed:
        checked_name(info.below(port.path), name_of(port, info))
    first = port.store.signed_url(listed[0].path, seconds) if listed else None
    if first is None:
        files = _copied(port, listed, area, place, tell, stopped)
    else:
        files = tuple(_signed(port, info, seconds) for info in listed)
    kind = "directory" if single is None else "file"
    return InputSpec(port.name, path, kind, files, writable=port.mode == "download")  # type: ignore[arg-type]


def _signed(port: JobInput, info: FileInfo, seconds: float) -> InputFile:
    address = port.store.signed_url(info.path, seconds)
    assert address is not None  # a store signs all its files, or none
    return _file(port, info, address, info.version)


def _copied(
    port: JobInput,
    listed: list[FileInfo],
    area: Store,
    place: Place,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
) -> tuple[InputFile, ...]:
    size = decimal(sum(info.size for info in listed))
    tell(
        f"Input {port.name}: {size} in {len(listed):,} files pass through this worker, because "
        f"{port.store.url(port.path)} cannot be read where the script runs."
    )

    def copy(info: FileInfo) -> InputFile:
        name = f"inputs/{port.name}/{info.below(port.path)}".rstrip("/")
        if not stopped():
            copy_file(port.store, info.path, area, name)
        return _file(port, info, place.below(name).address, None)

    return tuple(by_threads(copy, listed, THREADS))


def _file(port: JobInput, info: FileInfo, address: str, version: str | None) -> InputFile:
    digest = info.content if info.content and info.content.startswith(FILE_PREFIX) else None
    return InputFile(info.below(port.path), info.size, version, digest, address)
