"""Finding that nothing changed in a directory of many blobs: time, and memory that does not grow with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from servers.blob_listing_double import BlobListingDouble, made_up

GROWTH_LIMIT = 30
MEMORY_LIMIT = 200

# Transfers a tree, and tells how long it took, how much was copied, and the most memory that it had.
_RUN = """
import json, os, sys, time
sys.path[:0] = [sys.argv[1]]
from azure.storage.blob import BlobServiceClient
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import transfer
text = os.environ["MLSTEPS_BENCH_BLOBS"]
account = AzureAccount(lambda options: BlobServiceClient.from_connection_string(text, **options), "a double")
def opened(place):
    kind, _, name = place.partition(":")
    return FolderStore(name) if kind == "folder" else AzureBlobStore(account, name)
started = time.perf_counter()
done = transfer(opened(sys.argv[2]), "", opened(sys.argv[3]), "")
seconds = time.perf_counter() - started
# Unlike ru_maxrss, this knows nothing of the process that started this one.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
found = {"seconds": seconds, "copied": done.files, "there": done.files_there, "peak": int(peak) / 1024}
print(json.dumps(found))
"""


def listings(folder: Path, tell: Tell, few: int = 10_000, many: int = 100_000) -> list[Line]:
    """Two containers, and a container and a folder, that hold the same; each in a process of its own.

    Filling an emulator with so many blobs takes longer than all the rest of the benchmark, so a double of
    the service lists them; it runs in this process, and its part of the time counts with the rest.
    """
    sizes = (few, many)
    found: dict[str, list[dict[str, Any]]] = {}
    for files in sizes:
        tell(f"writing {files:,} files")
        tree = folder / f"listed{files}"
        _write(tree, files)
        with BlobListingDouble(files) as double:
            for what, target in (("container to container", "blob:other"), ("to a folder", f"folder:{tree}")):
                tell(f"comparing {files:,} blobs, {what}")
                result = _run(double, "blob:one", target)
                if (result["copied"], result["there"], double.others) != (0, files, []):
                    raise RuntimeError(f"Nothing of {files} unchanged blobs was to be copied: {result}")
                found.setdefault(what, []).append(result)
    return [line for what, results in found.items() for line in _lines(what, sizes, results)]


def _lines(what: str, sizes: tuple[int, int], results: list[dict[str, Any]]) -> list[Line]:
    pairs = list(zip(sizes, results, strict=True))
    told = ", ".join(f"{files:,} in {result['seconds']:.1f} s" for files, result in pairs)
    peaks = " and ".join(f"{result['peak']:.0f} MB with {files:,}" for files, result in pairs)
    least, most = (result["peak"] for result in results)
    seconds = {str(files): result["seconds"] for files, result in pairs}
    each = results[-1]["seconds"] / sizes[-1]
    return [
        Line(
            f"list and compare, {what}", f"unchanged, from a double: {told}", each * 1e6, "µs", None, seconds
        ),
        Line("peak memory", f"list and compare, {what}: {peaks}", most, "MB", MEMORY_LIMIT),
        Line("growth of peak memory", f"list and compare, {what}", most - least, "MB", GROWTH_LIMIT),
    ]


def _run(double: BlobListingDouble, source: str, target: str) -> dict[str, Any]:
    provider = str(Path(__file__).resolve().parents[2] / "provider")
    environment = {**os.environ, "MLSTEPS_BENCH_BLOBS": double.connection_string}
    command = [sys.executable, "-c", _RUN, provider, source, target]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"transfer from {source} to {target} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _write(tree: Path, files: int) -> None:
    for number in range(files):
        path, content = made_up(number)
        file = tree / path
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
        file.write_bytes(content)
