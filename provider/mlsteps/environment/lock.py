"""``EnvironmentLock``: the packages that a spec was resolved to, for one minor version of Python."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlsteps.environment.conda_lock import CondaPackageLock
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.requirements import logical_lines, normalise_requirement, requirement_name
from mlsteps.environment.spec import PythonEnvironmentSpec

# Where workers and images run. The patch releases are the ends that a marker may fall between.
_MACHINES = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"))
_PATCHES = ("0", "99")
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin"}


@dataclass(frozen=True)
class EnvironmentLock:
    """Every package of an environment with its version; the same for workers and images of one Python.

    A package that only some platforms need stands there with its marker. Credentials are in none of it.

    Args:
        python: the minor version that it holds for, such as ``3.11``.
        packages: pip requirements, each with one version or a URL.
        options: the spec's pip options, which say where packages are found.
        resolved_at: when, in ISO format; no part of what the lock is.
        resolver: the program that resolved it.
        conda: the conda packages, Python among them, where the environment is made by conda's means.
        platform: the one that those are for, as conda calls it; such a lock holds for it alone.
    """

    python: str
    packages: tuple[str, ...]
    options: tuple[str, ...] = ()
    resolved_at: str = ""
    resolver: str = ""
    conda: tuple[CondaPackageLock, ...] = ()
    platform: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over what is installed: Python, packages and options."""
        content: list[Any] = [self.python, self.packages, self.options]
        if self.conda:
            content += [self.platform, [package.identity for package in self.conda]]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    @property
    def versions(self) -> dict[str, str]:
        """By package name its version, URL, or what else stands behind the name."""
        found: dict[str, list[str]] = {package.name: [package.described] for package in self.conda}
        for line in self.packages:
            name = requirement_name(line)
            wanted = line[len(name) :].strip() if name else line
            found.setdefault(name or line, []).append(re.sub(r"^==(?=[^;\s]+(\s|;|$))", "", wanted))
        return {name: " | ".join(wanted) for name, wanted in found.items()}

    def locked(self, spec: PythonEnvironmentSpec) -> PythonEnvironmentSpec:
        """Return ``spec`` with these packages and this Python in place of what it asks for."""
        return PythonEnvironmentSpec(self.python, self.packages, spec.options)

    @property
    def lines(self) -> tuple[str, ...]:
        """The packages, one a line, for people."""
        return (*(str(package) for package in self.conda), *self.packages)

    def to_plain(self) -> dict[str, Any]:
        """Return the lock as JSON types."""
        conda = [package.to_plain() for package in self.conda]
        return {
            "python": self.python,
            "packages": list(self.packages),
            "options": list(self.options),
            "resolved_at": self.resolved_at,
            "resolver": self.resolver,
            **({"conda": conda, "platform": self.platform} if conda else {}),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> EnvironmentLock:
        """Return the lock that ``to_plain`` described."""
        return cls(
            plain["python"],
            tuple(plain["packages"]),
            tuple(plain["options"]),
            plain.get("resolved_at", ""),
            plain.get("resolver", ""),
            tuple(map(CondaPackageLock.from_plain, plain.get("conda", ()))),
            plain.get("platform", ""),
        )

    def __str__(self) -> str:
        conda = f"{len(self.conda)} conda packages ({self.platform}) and " if self.conda else ""
        return f"{conda}{len(self.packages)} packages for Python {self.python}"


def locked_lines(text: str, python: str, secrets: UrlSecrets) -> tuple[str, ...]:
    """Return what a resolver wrote as sorted requirements, without what never holds for ``python``.

    A marker that holds on every platform is left out, so that a lock reads like a list of versions.
    """
    lines = (_for_python(normalise_requirement(line, secrets), python) for line in logical_lines(text))
    return tuple(sorted(line for line in lines if line is not None))


def _for_python(line: str, python: str) -> str | None:
    requirement, separator, rest = line.partition(";")
    if not separator:
        return line
    from packaging.markers import Marker

    marker, *hashes = re.split(r"\s+(?=--hash=)", rest)
    holds = [Marker(marker).evaluate(values) for values in _machines(python)]
    if not any(holds):
        return None
    if not all(holds):
        return line
    return " ".join([requirement.rstrip(), *hashes])


def _machines(python: str) -> Iterable[dict[str, str]]:
    for system, machine in _MACHINES:
        for patch in _PATCHES:
            yield {
                "python_version": python,
                "python_full_version": f"{python}.{patch}",
                "implementation_name": "cpython",
                "implementation_version": f"{python}.{patch}",
                "platform_python_implementation": "CPython",
                "os_name": "posix",
                "sys_platform": system,
                "platform_system": _SYSTEMS[system],
                "platform_machine": machine,
                "extra": "",
            }
