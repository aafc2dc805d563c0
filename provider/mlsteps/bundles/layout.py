"""Laying the bundle out: two files for each DAG, in a folder of this machine."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mlsteps.bundles.dag_file import DAG_FILE
from mlsteps.bundles.manifest import Manifest, document
from mlsteps.launcher import atomic

if TYPE_CHECKING:
    from mlsteps.bundles.contents import ReadFile


def file_stem(dag_id: str) -> str:
    """The name of a DAG's files, which Python takes for a module's."""
    digest = hashlib.sha256(dag_id.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_]+', '_', dag_id)[:100]}_{digest}"


def lay_out(manifest: Manifest, folder: Path, locator: str, read: ReadFile) -> None:
    """Make a folder hold the DAGs of a manifest, and nothing else. Who reads sees each file old or new.

    :param locator: The workspace's.
    :param read: Reads a file of the store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for entry in manifest.entries:
        stem = file_stem(entry.dag_id)
        try:
            definition = read(entry.definition_path)
        except FileNotFoundError:
            definition = b""
        text = document(entry, locator, definition)
        for name, content in ((f"{stem}.json", text), (f"{stem}.py", DAG_FILE)):
            wanted.add(name)
            _write(folder / name, content.encode())
    for file in folder.iterdir():
        if file.name not in wanted and file.suffix in (".json", ".py"):
            file.unlink(missing_ok=True)


def lay_out_once(manifest: Manifest, folder: Path, locator: str, read: ReadFile) -> None:
    """The same in a folder that nobody sees before it is whole."""
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        lay_out(manifest, draft, locator, read)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(file: Path, data: bytes) -> None:
    if not file.is_file() or file.read_bytes() != data:
        with atomic.replacing(file) as out:
            out.write(data)
