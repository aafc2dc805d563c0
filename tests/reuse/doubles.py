"""Doubles of stores that behave badly: over a real folder, so that what they do not spoil is as ever."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from mlsteps.data.stores import FolderStore
from mlsteps.launcher.manifest import FileEntry, Manifest
from mlsteps.reuse.entry import EntryOutput, Origin, ReuseEntry


class StoreThatCalls(FolderStore):
    """Calls ``before`` with the verb and path of every operation; what that raises, the operation raises."""

    def __init__(self, root: Path, before: Callable[[str, str], None] = lambda verb, path: None) -> None:
        super().__init__(root)
        self.before = before

    def read(self, path: str) -> bytes:
        self.before("read", path)
        return super().read(path)

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self.before("write", path)
        super().write(path, data, durable)

    def create(self, path: str, data: bytes) -> bool:
        self.before("create", path)
        return super().create(path, data)

    def delete(self, path: str) -> None:
        self.before("delete", path)
        super().delete(path)

    def list_names(self, folder: str = "") -> list[str]:
        self.before("list", folder)
        return super().list_names(folder)


class StoreWithoutLuck(FolderStore):
    """Raises OSError at random: half of the times instead of the operation, else after it was done."""

    def __init__(self, root: Path, share: float, seed: int) -> None:
        super().__init__(root)
        self.share = share
        self._random = random.Random(seed)

    def _roll(self, share: float) -> None:
        if self._random.random() < share:
            raise OSError("The connection was reset")

    def read(self, path: str) -> bytes:
        self._roll(self.share)
        return super().read(path)

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self._roll(self.share / 2)
        super().write(path, data, durable)
        self._roll(self.share / 2)

    def create(self, path: str, data: bytes) -> bool:
        self._roll(self.share / 2)
        made = super().create(path, data)
        self._roll(self.share / 2)
        return made

    def delete(self, path: str) -> None:
        self._roll(self.share / 2)
        super().delete(path)
        self._roll(self.share / 2)

    def list_names(self, folder: str = "") -> list[str]:
        self._roll(self.share)
        return super().list_names(folder)


class StoreWithOldAnswers(FolderStore):
    """Every so often a read or a listing shows what the one before it should have shown."""

    def __init__(self, root: Path, share: float = 0.4, seed: int = 1) -> None:
        super().__init__(root)
        self.share = share
        self._random = random.Random(seed)
        self._files: dict[str, bytes | None] = {}
        self._names: dict[str, list[str]] = {}

    def read(self, path: str) -> bytes:
        try:
            now: bytes | None = super().read(path)
        except FileNotFoundError:
            now = None
        before, self._files[path] = self._files.get(path), now
        shown = before if self._random.random() < self.share else now
        if shown is None:
            raise FileNotFoundError(path)
        return shown

    def list_names(self, folder: str = "") -> list[str]:
        now = super().list_names(folder)
        before, self._names[folder] = self._names.get(folder, []), now
        return before if self._random.random() < self.share else now


class StoreThatAsksTwice(FolderStore):
    """Sends every request to create a file twice, as after a lost answer, and tells the second answer."""

    def create(self, path: str, data: bytes) -> bool:
        super().create(path, data)
        return super().create(path, data)


class StoreThatLosesWrites(FolderStore):
    """Says that files were written where none are."""

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        pass


def fingerprint(number: int = 0) -> str:
    """A fingerprint."""
    return f"sha256k:{number:064x}"


def entry(number: int = 0, **changes: object) -> ReuseEntry:
    """An entry that fills all fields."""
    manifest = Manifest.of(
        "directory",
        (FileEntry("a.csv", 3, f"sha256c:{1:064x}"), FileEntry("b/c.csv", 4, f"sha256c:{2:064x}")),
    )
    known: dict[str, object] = {
        "fingerprint": fingerprint(number),
        "key": {"script": "prepare.py", "arguments": ["--lr", 0.1], "nested": {"$dollar": [None, True]}},
        "outputs": {"data": EntryOutput({"name": "data", "files": 2, "producer": ["d", "r", 1]}, manifest)},
        "origin": Origin("dag", "run", "task", -1, 1, "dag.run.task.1", "prepare", "f/try-1", "host", "user"),
        "created": "2026-01-31T12:00:00+00:00",
        "seconds": 12.5,
        "metrics": {"loss": [0.5, 0.25], "worst": float("inf")},
        "metric_events": ({"name": "loss", "value": 0.5}, {"name": "loss", "value": 0.25}),
        "parent_metric_events": ({"name": "best", "value": 0.25},),
        "tags": {"stage": "größe"},
        "parent_tags": {"month": "2026-01"},
        "properties": {"rows": 7},
        "files": ("plots/loss.png",),
        "models": ("price:3",),
        "values": {"return_value": {"rows": 7}},
    }
    return ReuseEntry(**{**known, **changes})  # type: ignore[arg-type]
