"""What it costs to make a virtual environment and to find it again, beside uv's own commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median_of
from mlsteps.data.stores import FolderStore
from mlsteps.environment import EnvironmentLocks, PythonEnvironmentSpec, VirtualEnvironments
from mlsteps.environment.installer import find_uv
from mlsteps.environment.interpreters import running_interpreter
from mlsteps.environment.locking import minor_version
from mlsteps.environment.machine_settings import installer_variables

MAKING_LIMIT = 1.2
FINDING_LIMIT = 0.100

PACKAGES = ("numpy", "pandas", "scikit-learn")


def environments(
    folder: Path, repetitions: int, tell: Tell, packages: tuple[str, ...] = PACKAGES, cold: bool = True
) -> list[Line]:
    """Resolving, making and installing against ``uv venv`` and ``uv pip install``; and finding it again.

    :param cold: Also with an empty cache of uv for each, where most of the time is the network's.
    """
    lines = [_making(folder / "cached", repetitions, tell, packages, cached=True)]
    if cold:
        lines.append(_making(folder / "uncached", repetitions, tell, packages, cached=False))
    return [*lines, _finding(folder / "finding", repetitions, tell, packages)]


def _making(folder: Path, repetitions: int, tell: Tell, packages: tuple[str, ...], *, cached: bool) -> Line:
    numbers = count()

    def once(make: Callable[[Path, tuple[str, ...]], None]) -> dict[str, Any]:
        place = folder / str(next(numbers))
        place.mkdir(parents=True)
        with _cache(folder / "cache" if cached else place / "cache"):
            start = time.perf_counter()
            make(place, packages)
            seconds = time.perf_counter() - start
        shutil.rmtree(place)
        return {"seconds": seconds}

    found = interleaved(repetitions, {"uv": lambda: once(_with_uv), "mlsteps": lambda: once(_ours)}, tell)
    plain, ours = (median_of(found[name], "seconds") for name in ("uv", "mlsteps"))
    return Line(
        f"new environment, {'packages in' if cached else 'empty'} uv cache",
        f"{', '.join(packages)}: uv venv and uv pip install {plain:.2f} s, with lock and record {ours:.2f} s",
        ours / plain,
        "x",
        MAKING_LIMIT,
        {"uv": plain, "mlsteps": ours},
    )


def _finding(folder: Path, repetitions: int, tell: Tell, packages: tuple[str, ...]) -> Line:
    with _cache(folder.parent / "cached" / "cache"):
        _ours(folder, packages)

    def find() -> dict[str, Any]:
        start = time.perf_counter()
        _ours(folder, packages)
        return {"seconds": time.perf_counter() - start}

    seconds = median_of(interleaved(max(repetitions, 5), {"finding": find}, tell)["finding"], "seconds")
    what = "its lock on a folder store, and the environment that was made from it"
    return Line("find an environment", what, seconds, "s", FINDING_LIMIT)


def _ours(place: Path, packages: tuple[str, ...]) -> None:
    spec = PythonEnvironmentSpec(None, packages)
    locks = EnvironmentLocks(FolderStore(place / "store"), place / "environments")
    lock = locks.get(spec, minor_version(spec), _quiet)
    VirtualEnvironments(place / "environments").get_or_build(spec, _quiet, lock=lock)


def _with_uv(place: Path, packages: tuple[str, ...]) -> None:
    uv, python = str(find_uv()), str(running_interpreter().path)
    variables = installer_variables(own_index=False)
    for command in (
        [uv, "venv", "--quiet", "--no-project", str(place / "venv"), "--python", python],
        [uv, "pip", "install", "--quiet", "--python", str(place / "venv" / "bin" / "python"), *packages],
    ):
        subprocess.run(command, check=True, env=variables, cwd=place, stdin=subprocess.DEVNULL)


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("UV_CACHE_DIR")
    os.environ["UV_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["UV_CACHE_DIR"]
        else:
            os.environ["UV_CACHE_DIR"] = before


def _quiet(line: str) -> None:
    pass
