"""What it costs to tell the content of files, beside the bare system calls and the bare hash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from bench.budgets import Line, Tell
from bench.processes import interleaved, median_of
from mlsteps.launcher.digest import CHUNK_SIZE, FileDigest
from mlsteps.reuse.content import content_of
from mlsteps.reuse.digest_cache import DigestCache
from mlsteps.reuse.snapshot import take_snapshot

FIRST_LIMIT = 1.5
AGAIN_LIMIT = 2.0
LARGE_LIMIT = 1.11  # nine tenths of the speed
MEMORY_LIMIT = 150

_RULES = "*.log\nbuild/\n/data/raw/\n!keep.log\nnotebooks/**/*.ipynb\n"
_SETTLED = 3  # seconds until a new file can be remembered
_CALLS: dict[str, Callable[[Path, DigestCache], object]] = {
    "content_of": content_of,
    "take_snapshot": take_snapshot,
}
_PEAK = """
import sys
from pathlib import Path
from mlsteps.reuse.content import content_of
from mlsteps.reuse.digest_cache import DigestCache
from mlsteps.reuse.snapshot import take_snapshot
globals()[sys.argv[1]](Path(sys.argv[2]), DigestCache(sys.argv[3]))
# Unlike ru_maxrss, this knows nothing of the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def hashing(
    folder: Path, repetitions: int, tell: Tell, files: int = 20_000, large: int = 2 << 30
) -> list[Line]:
    """Many small files and a large one: the first time, again when nothing changed, and the memory for it."""
    tell(f"writing {files} files and one of {large >> 20} MB")
    tree, ignoring, big = folder / "tree", folder / "ignoring", folder / "large"
    _write_trees(tree, ignoring, files)
    _write_large(big, large)
    time.sleep(_SETTLED)
    return [
        *_small_files(folder / "caches", tree, ignoring, repetitions, tell),
        *_large_file(folder / "caches", big, 2 * repetitions + 1, tell),
        _memory(folder / "caches", "content_of", f"{files} files, the first time", tree, tell),
        _memory(folder / "caches", "content_of", f"{files} files, unchanged", tree, tell),
        _memory(
            folder / "caches", "take_snapshot", f"{files} files, .amlignore, the first time", ignoring, tell
        ),
        _memory(folder / "caches", "content_of", f"a file of {large >> 20} MB", big, tell),
    ]


def _small_files(caches: Path, tree: Path, ignoring: Path, repetitions: int, tell: Tell) -> list[Line]:
    sides: dict[str, tuple[Callable[[Path, DigestCache], object], Path]] = {
        "content_of": (content_of, tree),
        "take_snapshot": (take_snapshot, tree),
        "take_snapshot, .amlignore": (take_snapshot, ignoring),
    }
    numbers = count()
    first = {
        name: _timed(lambda call=call, root=root: call(root, DigestCache(caches / f"first-{next(numbers)}")))
        for name, (call, root) in sides.items()
    }
    again = {
        name: _timed(lambda call=call, root=root: call(root, DigestCache(caches / "again")))
        for name, (call, root) in sides.items()
    }
    lines = []
    for what, base, measured, limit in (
        ("the first time", ("read and hash every file", lambda: _read_all(tree)), first, FIRST_LIMIT),
        ("nothing changed", ("os.walk and os.stat", lambda: _stat_all(tree)), again, AGAIN_LIMIT),
    ):
        found = interleaved(repetitions, {base[0]: _timed(base[1]), **measured}, tell)
        medians = {name: median_of(results, "seconds") for name, results in found.items()}
        lines += [
            Line(
                f"{name}, {what}",
                f"{base[0]} {medians[base[0]] * 1000:.0f} ms, ours {medians[name] * 1000:.0f} ms",
                medians[name] / medians[base[0]],
                "x",
                limit,
                medians,
            )
            for name in measured
        ]
    return lines


def _large_file(caches: Path, big: Path, repetitions: int, tell: Tell) -> list[Line]:
    found = interleaved(
        repetitions,
        {
            "plain": _timed(lambda: _hash_chunks(big)),
            "ours": _timed(lambda: content_of(big)),
            "again": _timed(lambda: content_of(big, DigestCache(caches / "large"))),
        },
        tell,
    )
    seconds = {name: median_of(results, "seconds") for name, results in found.items()}
    size = f"{big.stat().st_size >> 20} MB"
    return [
        Line(
            f"content_of a file of {size}",
            f"chunks in threads {seconds['plain'] * 1000:.0f} ms, ours {seconds['ours'] * 1000:.0f} ms",
            seconds["ours"] / seconds["plain"],
            "x",
            LARGE_LIMIT,
            seconds,
        ),
        Line(f"content_of a file of {size}", "nothing changed", seconds["again"], "s"),
    ]


def _memory(caches: Path, call: str, what: str, path: Path, tell: Tell) -> Line:
    tell(f"memory of {call}, {what}")
    command = [sys.executable, "-c", _PEAK, call, str(path), str(caches / "memory")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{call} failed:\n{done.stderr}")
    return Line(f"peak memory of {call}", what, int(done.stdout) / 1024, "MB", MEMORY_LIMIT)


def _timed(call: Callable[[], object]) -> Callable[[], dict[str, Any]]:
    def measure() -> dict[str, Any]:
        started = time.perf_counter()
        call()
        return {"seconds": time.perf_counter() - started}

    return measure


def _read_all(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            FileDigest(len(data), (hashlib.sha256(data).digest(),)).text  # noqa: B018


def _stat_all(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            os.stat(os.path.join(folder, name))


def _hash_chunks(path: Path) -> None:
    with path.open("rb") as file, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        starts = range(0, path.stat().st_size, CHUNK_SIZE)
        list(
            pool.map(
                lambda start: hashlib.sha256(os.pread(file.fileno(), CHUNK_SIZE, start)).digest(), starts
            )
        )


def _write_trees(tree: Path, ignoring: Path, files: int) -> None:
    """Two trees of the same files, 100 to a folder and 10 to 20 folders to one; one has an ignore file."""
    for number in range(files):
        folder = Path(f"group{number // 100 % 20:02}", f"folder{number // 100:04}")
        if number % 100 == 0:
            (tree / folder).mkdir(parents=True)
            (ignoring / folder).mkdir(parents=True)
        file = folder / f"part-{number:06}.bin"
        (tree / file).write_bytes(os.urandom(10 * 1024))
        os.link(tree / file, ignoring / file)
    (ignoring / ".amlignore").write_text(_RULES)


def _write_large(path: Path, size: int) -> None:
    block = os.urandom(8 << 20)
    with path.open("wb") as file:
        for number in range(size // len(block)):
            file.write(number.to_bytes(8, "big") + block[8:])
