"""What a job in a container costs beside ``docker run`` of the same script in the same image."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median, median_of, probe
from compute.jobs import Bench
from mlsteps.compute import DockerCompute
from servers.debian import ServerMissing
from servers.docker_engine import load_image, running_engine
from servers.docker_image import IMAGE

ADDED_LIMIT = 1.0

_SCRIPT = "print('on')"


def containers(folder: Path, repetitions: int, tell: Tell) -> list[Line]:
    """A job of :class:`DockerCompute`, from its start until its outputs are known, against ``docker run``.

    And what a task's process takes to import Docker's SDK, which the job's time is without.
    """
    importing = median(
        [probe(folder, "imports", "import docker")["seconds"][0] for _ in range(min(repetitions, 5))]
    )
    sdk = Line("import docker", "by itself, once in a task's process", importing, "s")
    if shutil.which("docker") is None:
        return [Line("a job in a container", "not measured: no docker command here", 0, "s"), sdk]
    try:
        with running_engine() as (url, _):
            load_image(url)
            return [_added(folder / "containers", repetitions, tell, url), sdk]
    except ServerMissing as missing:
        return [Line("a job in a container", f"not measured: {missing}", 0, "s"), sdk]


def _added(folder: Path, repetitions: int, tell: Tell, url: str) -> Line:
    bench = Bench(folder, DockerCompute(url=url, base_image=IMAGE, network_mode="none"))
    script = folder / "plain" / "main.py"
    script.parent.mkdir(parents=True)
    script.write_text(_SCRIPT)
    plain_command = [
        *("docker", "--host", url, "run", "--rm", "--network", "none"),
        *("--volume", f"{script.parent}:{script.parent}:ro", IMAGE, "python3", str(script)),
    ]

    def plain() -> dict[str, Any]:
        start = time.perf_counter()
        done = subprocess.run(plain_command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return _checked(done.stdout.decode().split(), time.perf_counter() - start)

    def ours() -> dict[str, Any]:
        bench.lines.clear()
        job = bench.job(_SCRIPT)
        start = time.perf_counter()
        outcome = bench.target.run(job, bench.watcher)
        seconds = time.perf_counter() - start
        if outcome.error is not None:
            raise RuntimeError(outcome.error)
        return _checked([line for stream, line in bench.lines if stream == "stdout"], seconds)

    found = interleaved(repetitions, {"docker run": plain, "DockerCompute": ours}, tell)
    pairs = zip(found["docker run"], found["DockerCompute"], strict=True)
    sides = {name: median_of(results, "seconds") for name, results in found.items()}
    return Line(
        "a job in a container",
        f"docker run {sides['docker run']:.2f} s, DockerCompute {sides['DockerCompute']:.2f} s",
        median([ours["seconds"] - plain["seconds"] for plain, ours in pairs]),
        "s",
        ADDED_LIMIT,
        sides,
    )


def _checked(printed: list[str], seconds: float) -> dict[str, Any]:
    if printed != ["on"]:
        raise RuntimeError(f"The script printed {printed}")
    return {"seconds": seconds}
