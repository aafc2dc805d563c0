"""MemoryStore: a store without folders, as objects in a cloud are, that can be stopped at any call."""

from __future__ import annotations

import builtins
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mlsteps.data.stores import FileInfo, Store


class MemoryStore(Store):
    """Files in a dictionary. What ``before`` raises, given the verb and path of a call, the call raises."""

    def __init__(self, files: dict[str, bytes] | None = None, name: str = "memory") -> None:
        self.files = dict(files or {})
        self.before: Callable[[str, str], None] = lambda verb, path: None
        self.name = name

    def stat(self, path: str) -> FileInfo | None:
        self.before("stat", path)
        return FileInfo(path, len(self.files[path])) if path in self.files else None

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        self.before("list", prefix)
        for path in sorted(self.files):
            if not prefix or path == prefix or path.startswith(f"{prefix}/"):
                yield FileInfo(path, len(self.files[path]))

    def list_names(self, folder: str = "") -> builtins.list[str]:
        self.before("list_names", folder)
        start = f"{folder}/" if folder else ""
        return sorted({p[len(start) :].split("/")[0] for p in self.files if p.startswith(start)})

    def open(self, path: str) -> BinaryIO:
        self.before("read", path)
        if path not in self.files:
            raise FileNotFoundError(path)
        return io.BytesIO(self.files[path])

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self.before("write", path)
        self.files[path] = data

    def create(self, path: str, data: bytes) -> bool:
        self.before("create", path)
        return self.files.setdefault(path, data) is data

    def put_file(self, source: Path, path: str) -> None:
        self.write(path, source.read_bytes())

    def delete(self, path: str) -> None:
        for found in sorted(self.files, reverse=True):  # in which order, nobody promises
            if found == path or found.startswith(f"{path}/"):
                self.before("delete", found)
                self.files.pop(found, None)

    def url(self, path: str) -> str:
        return f"{self.name}://{path}"
