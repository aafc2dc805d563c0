"""The files of one virtual environment: whether it is complete, what it holds, why a build of it failed."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlsteps.environment.identity import installed_packages
from mlsteps.environment.interpreters import Interpreter
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import EnvironmentBuildError
from mlsteps.launcher import atomic

_log = logging.getLogger(__name__)
_READY = "ready.json"
_FAILED = "failed.json"
_LAST_USED = "last_used"


@dataclass(frozen=True)
class EnvironmentPlace:
    """The files of one environment."""

    root: Path
    key: str

    @property
    def folder(self) -> Path:
        return self.root / self.key

    @property
    def lock(self) -> Path:
        return self.root / "locks" / self.key

    def ready_python(self) -> Path | None:
        """Return the interpreter if the environment is complete, and what it was made from still there."""
        record = _read_json(self.folder / _READY)
        python = self.folder / str(record.get("python", ""))
        # the link ends nowhere when the interpreter behind it was uninstalled
        return python if record and os.access(python, os.X_OK) and python.is_file() else None

    def variables(self) -> dict[str, str]:
        """What a script in it finds set, as by activating a conda environment."""
        variables = _read_json(self.folder / _READY).get("variables")
        return variables if isinstance(variables, dict) else {}

    def touch(self) -> None:
        try:
            (self.folder / _LAST_USED).touch()
        except OSError as error:  # a read-only cache serves as well
            _log.debug("%s cannot be touched: %s", self.folder, error)

    def clear(self) -> None:
        """Remove what an earlier attempt left; only with the lock held."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_attempt(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / uuid.uuid4().hex[:8]

    def mark_ready(
        self,
        attempt: Path,
        spec: PythonEnvironmentSpec,
        interpreter: Interpreter,
        installer: str,
        seconds: float,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        site_packages = [str(path) for path in attempt.glob("lib*/python*/site-packages")]
        packages = sorted(f"{name}=={version}" for name, version in installed_packages(site_packages).items())
        record = {
            "python": f"{attempt.name}/bin/python",
            "spec": spec.to_plain(),
            "spec_hash": spec.spec_hash,
            "interpreter": str(interpreter.path),
            "python_version": interpreter.release,
            "installer": installer,
            "variables": dict(variables or {}),
            "packages": packages,
            "seconds": round(seconds, 3),
            "built_at": time.time(),
        }
        _write_json(self.folder / _READY, record)

    def mark_failed(self, text: str) -> None:
        self.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / _FAILED, {"at": time.time(), "error": text})

    def raise_if_failed_since(self, moment: float) -> None:
        """Raise the error of a build that failed while this process waited for it."""
        record = _read_json(self.folder / _FAILED)
        if record and record["at"] >= moment:
            raise EnvironmentBuildError(str(record["error"]))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    atomic.write_bytes(path, json.dumps(content, indent=1, sort_keys=True).encode())
