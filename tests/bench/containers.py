"""What a job in a container costs beside ``docker run`` of the same script in the same image."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median, median_of, probe
from compute.jobs import Bench
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import DockerCompute
from mlsteps.exceptions import MlstepsException
from servers.azurite import blob_store
from servers.debian import ServerMissing
from servers.docker_engine import load_image, running_engine
from servers.docker_image import IMAGE

ADDED_LIMIT = 1.0

_SCRIPT = "print('on')"
_MOUNTED = "a job in a container"
_STAGED = "a job in a container, no shared disk"


def containers(folder: Path, repetitions: int, tell: Tell) -> list[Line]:
    """A job of :class:`DockerCompute`, from its start until its outputs are known, against ``docker run``.

    Once with its folders mounted, and once with its data going by an emulator of a storage account. And
    what a task's process takes to import Docker's SDK, which the job's time is without.
    """
    importing = median(
        [probe(folder, "imports", "import docker")["seconds"][0] for _ in range(min(repetitions, 5))]
    )
    sdk = Line("import docker", "by itself, once in a task's process", importing, "s")
    if shutil.which("docker") is None:
        return [Line(_MOUNTED, "not measured: no docker command here", 0, "s"), sdk]
    try:
        with running_engine() as (url, _), Azurite(folder / "azurite-of-containers") as azurite:
            load_image(url)
            return [*_added(folder / "containers", repetitions, tell, url, azurite), sdk]
    except (ServerMissing, MlstepsException) as missing:
        return [Line(_MOUNTED, f"not measured: {missing}", 0, "s"), sdk]


def _added(folder: Path, repetitions: int, tell: Tell, url: str, azurite: Azurite) -> list[Line]:
    script = folder / "plain" / "main.py"
    script.parent.mkdir(parents=True)
    script.write_text(_SCRIPT)
    plain_command = [
        *("docker", "--host", url, "run", "--rm", "--network", "none"),
        *("--volume", f"{script.parent}:{script.parent}:ro", IMAGE, "python3", str(script)),
    ]
    store = blob_store(azurite)

    def plain() -> dict[str, Any]:
        start = time.perf_counter()
        done = subprocess.run(plain_command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return _checked(done.stdout.decode().split(), time.perf_counter() - start)

    def side(name: str, shared: bool) -> Callable[[], dict[str, Any]]:
        network = "none" if shared else "host"
        target = DockerCompute(url=url, base_image=IMAGE, network_mode=network, shared_disk=shared)
        bench = Bench(folder / name, target)
        numbers = count()

        def ours() -> dict[str, Any]:
            bench.lines.clear()
            output = bench.writes("out", f"made/{next(numbers)}", create_directory=True)
            job = bench.job(_SCRIPT, outputs=(output if shared else replace(output, store=store),))
            start = time.perf_counter()
            outcome = target.run(job, bench.watcher)
            seconds = time.perf_counter() - start
            if outcome.error is not None:
                raise RuntimeError(outcome.error)
            return _checked([line for stream, line in bench.lines if stream == "stdout"], seconds)

        return ours

    ours = {_MOUNTED: side("mounted", True), _STAGED: side("staged", False)}
    found = interleaved(repetitions, {"docker run": plain, **ours}, tell)
    return [_line(name, found["docker run"], found[name]) for name in ours]


def _line(name: str, plain: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Line:
    sides = {"docker run": median_of(plain, "seconds"), "DockerCompute": median_of(ours, "seconds")}
    return Line(
        name,
        f"docker run {sides['docker run']:.2f} s, DockerCompute {sides['DockerCompute']:.2f} s",
        median([one["seconds"] - other["seconds"] for other, one in zip(plain, ours, strict=True)]),
        "s",
        ADDED_LIMIT,
        sides,
    )


def _checked(printed: list[str], seconds: float) -> dict[str, Any]:
    if printed != ["on"]:
        raise RuntimeError(f"The script printed {printed}")
    return {"seconds": seconds}
