"""A conda channel on disk: real archives and indexes, with a stand-in for the package ``python``.

The stand-in's ``bin/python`` is a link to the interpreter that runs the tests, and a ``pyvenv.cfg`` makes it
take the prefix for its own. All else is as conda has it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlsteps.environment.conda_lock import conda_platform

PLACEHOLDER = "/placeholder/of/the/prefix"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM = conda_platform()


class Channel:
    """A folder with packages that can be added while it is in use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for subdir in ("noarch", PLATFORM):
            (folder / subdir).mkdir(parents=True)
            self._write_index(subdir, {})

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add_python(self) -> None:
        real = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        version = ".".join(map(str, sys.version_info[:3]))
        cfg = f"home = {os.path.dirname(real)}\ninclude-system-site-packages = false\nversion = {version}\n"
        self.add(
            "python",
            version,
            files={"pyvenv.cfg": cfg, f"lib/python{MINOR}/site-packages/README.txt": "packages\n"},
            links={"bin/python": real, f"bin/python{MINOR}": real},
        )

    def add_module(self, name: str, version: str, *depends: str, build: str = "py_0", more: str = "") -> Path:
        """Add a package of Python's for all platforms, with one module and its metadata."""
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"__version__ = {version!r}\n{more}",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/INSTALLER": "conda\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
        in_place = {f"site-packages/{path}": text for path, text in files.items()}
        return self.add(name, version, build, depends=("python", *depends), noarch="python", files=in_place)

    def add(
        self,
        name: str,
        version: str,
        build: str = "0",
        *,
        files: Mapping[str, str],
        links: Mapping[str, str] = {},
        depends: tuple[str, ...] = (),
        noarch: str | None = None,
    ) -> Path:
        """Add a package; a file that holds the placeholder gets the prefix in its place when installed."""
        subdir = "noarch" if noarch else PLATFORM
        described: dict[str, Any] = {"name": name, "version": version, "build": build, "build_number": 0}
        described |= {"depends": list(depends), "subdir": subdir, **({"noarch": noarch} if noarch else {})}
        archive = self.folder / subdir / f"{name}-{version}-{build}.tar.bz2"
        paths: list[dict[str, Any]] = []
        with tarfile.open(archive, "w:bz2") as tar:
            for path, text in files.items():
                paths.append(_put(tar, path, text))
            for path, target in links.items():
                entry = tarfile.TarInfo(path)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
                paths.append({"_path": path, "path_type": "softlink", "sha256": None, "size_in_bytes": 0})
            _put(tar, "info/index.json", json.dumps(described))
            _put(tar, "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}))
        data = archive.read_bytes()
        described["sha256"], described["size"] = hashlib.sha256(data).hexdigest(), len(data)
        index = self.folder / subdir / "repodata.json"
        self._write_index(subdir, {**json.loads(index.read_text())["packages"], archive.name: described})
        return archive

    def _write_index(self, subdir: str, packages: Mapping[str, Any]) -> None:
        content = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}}
        text = json.dumps({**content, "removed": [], "repodata_version": 1})
        (self.folder / subdir / "repodata.json").write_text(text)


def _put(tar: tarfile.TarFile, path: str, text: str) -> dict[str, Any]:
    data = text.encode()
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
    tar.addfile(entry, io.BytesIO(data))
    described = {"_path": path, "path_type": "hardlink", "size_in_bytes": len(data)}
    described["sha256"] = hashlib.sha256(data).hexdigest()
    if PLACEHOLDER in text:
        described |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return described
