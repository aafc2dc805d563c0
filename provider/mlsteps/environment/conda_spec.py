"""``CondaSpec``: what a real conda is asked for where the package index cannot serve a specification."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from mlsteps.environment.conda_names import parse_conda_package

CONDA_FORMAT = 1
"""Goes up when the same specification would be solved to something else."""


@dataclass(frozen=True)
class CondaSpec:
    """The conda part of a specification as it was written, without credentials.

    Args:
        channels: names, URLs or folders; the first one that has a package is where it comes from.
        packages: conda match specifications, without Python's.
        requirements: what stands under ``pip:``, canonical; for uv, into the same environment.
    """

    channels: tuple[str, ...]
    packages: tuple[str, ...]
    requirements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(dict.fromkeys(self.channels)))
        object.__setattr__(self, "packages", tuple(sorted({_plain(item) for item in self.packages})))
        object.__setattr__(self, "requirements", tuple(sorted(set(self.requirements))))

    @property
    def spec_hash(self) -> str:
        """SHA-256 over the canonical JSON of it."""
        content = [CONDA_FORMAT, self.channels, self.packages, self.requirements]
        return hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()

    def packages_called(self, names: set[str]) -> list[str]:
        """The conda packages that the package index calls by one of ``names``."""
        parsed = ((item, parse_conda_package(item)) for item in self.packages)
        return [item for item, package in parsed if package.is_python_package and package.pip_name in names]

    def __str__(self) -> str:
        more = f" and {len(self.packages) - 5} more" if len(self.packages) > 5 else ""
        return ", ".join(self.packages[:5]) + more


def _plain(package: str) -> str:
    return re.sub(r"\s+", " ", package.partition("#")[0]).strip()
