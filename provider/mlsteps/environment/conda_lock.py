"""``CondaPackageLock``: one conda package of a lock; and what conda calls the platform of this machine."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

_MACHINES = {
    "x86_64": "64",
    "amd64": "64",
    "aarch64": "aarch64",
    "arm64": "arm64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
_SYSTEMS = {"linux": "linux", "darwin": "osx"}


@dataclass(frozen=True)
class CondaPackageLock:
    """A conda package to the file: what is installed, where it is, and the digest that it must have.

    Args:
        name: of the package.
        version: of it.
        build: conda's build string.
        build_number: how often that version was built before.
        subdir: the channel's folder: a platform, or ``noarch``.
        url: of the archive, without credentials.
        sha256: of the archive; empty in channels of the time before.
        md5: of the archive; counts where there is no other.
        noarch: ``python`` or ``generic`` for packages that are for all platforms.
        depends: what it needs, as conda writes it.
        site_packages: where this Python keeps packages, if its build says so.
    """

    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    url: str
    sha256: str = ""
    md5: str = ""
    noarch: str | None = None
    depends: tuple[str, ...] = ()
    site_packages: str | None = None

    @property
    def digest(self) -> str:
        """The digest that the archive must have, with its kind."""
        return f"sha256:{self.sha256}" if self.sha256 else f"md5:{self.md5}"

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from others: not where it was found."""
        return str(self), self.digest

    @property
    def described(self) -> str:
        """Version, build and the begin of its digest: a channel may hold another file under the same name."""
        return f"{self.version}={self.build} {self.digest[:19]}"

    @property
    def is_python_package(self) -> bool:
        """Whether it is a package of Python's, which the package index may have as well."""
        return self.noarch == "python" or any(item.split()[:1] == ["python"] for item in self.depends)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON types, without what is not set."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", ())}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> CondaPackageLock:
        """Return the package that ``to_plain`` described."""
        known = {item.name for item in fields(cls)}
        given = {key: value for key, value in plain.items() if key in known}
        return cls(**{**given, "depends": tuple(plain.get("depends", ()))})

    def __str__(self) -> str:
        return f"{self.name}={self.version}={self.build}"


def conda_platform() -> str:
    """Return what conda calls the platform of this machine, such as ``linux-64``."""
    machine = platform.machine().lower()
    return f"{_SYSTEMS.get(sys.platform, sys.platform)}-{_MACHINES.get(machine, machine)}"
