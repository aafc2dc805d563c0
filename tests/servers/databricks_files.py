"""The files of the tests' double of Databricks: its workspace and DBFS, as two folders."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

Plain = dict[str, Any]

NOTEBOOK = b"# Databricks notebook source"
_JUPYTER = b"{"
_MOST_OF_DBFS = 1024 * 1024


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Files:
    """Both places; a path of DBFS begins with ``dbfs:/``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[int, tuple[Path, bytearray]] = {}
        self.mounts: dict[str, str] = {}
        """Beginnings of URLs that code there can open, and the folders that they are here."""
        for name in ("workspace/Shared", "dbfs", "volumes"):
            (root / name).mkdir(parents=True)

    @property
    def mounted(self) -> dict[str, str]:
        """All beginnings of paths and URLs that are folders here."""
        own = {"/Workspace/": "workspace", "dbfs:/": "dbfs", "/dbfs/": "dbfs", "/Volumes/": "volumes"}
        return {**self.mounts, **{begin: f"{self._root / name}/" for begin, name in own.items()}}

    def file(self, path: str) -> Path:
        """The file of a path as a task names it."""
        if path.startswith("dbfs:/"):
            return self._root / "dbfs" / path.removeprefix("dbfs:/")
        if path.startswith("/Volumes/"):
            return self._root / "volumes" / path.removeprefix("/Volumes/")
        return self._root / "workspace" / path.removeprefix("/Workspace").lstrip("/")

    def put(self, path: str, text: str) -> None:
        """Let there be a file, as if somebody had made it."""
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def volume(self, method: str, path: str, data: bytes, body: Plain) -> bytes:
        """Do what a request of the Files API asks for: ``/files/...`` or ``/directories/...``."""
        _, kind, path = path.split("/", 2)
        path = f"/{path}"
        if not path.startswith("/Volumes/") or len(path.split("/")) < 6:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"{path} is not in a Volume.")
        file = self.file(path)
        if method == "PUT" and kind == "directories":
            file.mkdir(parents=True, exist_ok=True)
        elif method == "PUT":
            if not file.parent.is_dir():
                raise Refusal(404, "NOT_FOUND", f"The folder of {path} does not exist.")
            if file.exists() and body.get("overwrite") == "false":
                raise Refusal(409, "ALREADY_EXISTS", f"{path} already exists.")
            file.write_bytes(data)
        elif not file.is_file():
            raise Refusal(404, "NOT_FOUND", f"{path} does not exist.")
        return file.read_bytes() if method == "GET" else b""

    def answer(self, method: str, endpoint: str, body: Plain) -> Plain:
        """Do what a request asks for."""
        _, area, verb = endpoint.split("/")
        name = verb.replace("-", "_")
        path = str(body.get("path", ""))
        if path and not path.startswith("/"):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Path ({path}) doesn't start with '/'")
        file = self.file(f"dbfs:{path}" if area == "dbfs" else path)
        found: Plain = getattr(self, f"_{area}_{name}")(file, path, body)
        return found

    def _workspace_get_status(self, file: Path, path: str, body: Plain) -> Plain:
        self._there(file, path)
        kind = "DIRECTORY" if file.is_dir() else "NOTEBOOK" if is_notebook(file) else "FILE"
        return {"path": path, "object_type": kind, "object_id": 1}

    def _workspace_mkdirs(self, file: Path, path: str, body: Plain) -> Plain:
        file.mkdir(parents=True, exist_ok=True)
        return {}

    def _workspace_delete(self, file: Path, path: str, body: Plain) -> Plain:
        self._there(file, path)
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()
        return {}

    def _workspace_import(self, file: Path, path: str, body: Plain) -> Plain:
        if not file.parent.is_dir():
            parent = path.rpartition("/")[0]
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({parent}) does not exist.")
        if file.exists() and not body.get("overwrite"):
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
        file.write_bytes(base64.b64decode(body.get("content", "")))
        return {}

    def _workspace_export(self, file: Path, path: str, body: Plain) -> Plain:
        self._there(file, path)
        data = file.read_bytes()
        if data.startswith(_JUPYTER) and body.get("format") == "SOURCE":
            data = _source_of(data)
        return {"content": base64.b64encode(data).decode(), "file_type": "py"}

    def _dbfs_get_status(self, file: Path, path: str, body: Plain) -> Plain:
        self._there(file, path)
        return {"path": path, "is_dir": file.is_dir(), "file_size": file.stat().st_size}

    def _dbfs_mkdirs(self, file: Path, path: str, body: Plain) -> Plain:
        file.mkdir(parents=True, exist_ok=True)
        return {}

    def _dbfs_read(self, file: Path, path: str, body: Plain) -> Plain:
        self._there(file, path)
        start, length = int(body.get("offset", 0)), int(body.get("length", 500_000))
        if length > _MOST_OF_DBFS:
            raise Refusal(400, "MAX_READ_SIZE_EXCEEDED", "The length is more than 1 MB.")
        data = file.read_bytes()[start : start + length]
        return {"bytes_read": len(data), "data": base64.b64encode(data).decode()}

    def _dbfs_create(self, file: Path, path: str, body: Plain) -> Plain:
        if file.exists() and not body.get("overwrite"):
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"{path} already exists.")
        handle = len(self._open) + 7
        self._open[handle] = (file, bytearray())
        return {"handle": handle}

    def _dbfs_add_block(self, file: Path, path: str, body: Plain) -> Plain:
        block = base64.b64decode(body["data"])
        if len(block) > _MOST_OF_DBFS:
            raise Refusal(400, "MAX_BLOCK_SIZE_EXCEEDED", "The block is more than 1 MB.")
        self._open[body["handle"]][1].extend(block)
        return {}

    def _dbfs_close(self, file: Path, path: str, body: Plain) -> Plain:
        target, data = self._open[body["handle"]]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return {}

    @staticmethod
    def _there(file: Path, path: str) -> None:
        if not file.exists():
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")


def is_notebook(file: Path) -> bool:
    """Whether it is one, of Databricks' source format or Jupyter's."""
    data = file.read_bytes()
    return data.startswith(NOTEBOOK) or (data.startswith(_JUPYTER) and b'"cells"' in data)


def _source_of(notebook: bytes) -> bytes:
    """A Jupyter notebook as Databricks exports its source: without outputs and other facts of its file."""
    cells = ["".join(cell["source"]) for cell in json.loads(notebook)["cells"]]
    return NOTEBOOK + b"\n" + "\n\n# COMMAND ----------\n\n".join(cells).encode()
