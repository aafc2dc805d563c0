"""``PythonEnvironmentSpec``: what an environment has to hold, spelled the same on every machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.environment.conda_spec import CondaSpec
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.requirements import normalise_option, normalise_requirement
from mlsteps.exceptions import UserErrorException

SPEC_FORMAT = 1
"""Goes up when the same environment would get another hash, as by another spelling of requirements."""


@dataclass(frozen=True)
class PythonEnvironmentSpec:
    """A Python version, pip requirements and pip options; canonical once constructed, without credentials.

    Two specs that mean the same are equal and have the same ``spec_hash``, whatever the order, case, blanks
    and repetitions they were written with. Nothing about a machine is in it: what is built from it on one
    machine is keyed by the platform and the interpreter as well.

    Args:
        python: ``3.10``, or a range such as ``>=3.8,<3.11``; ``None`` for the worker's own. A patch release
            (``3.10.4``) counts as its minor version: machines rarely share one, and packages do not depend on
            it.
        requirements: pip requirements.
        options: pip options; their order stays, because installers search indexes in it.
        conda: the conda packages behind some of the requirements, for where the package index cannot serve
            them. No part of the hash or of comparisons, which are about what the index is asked for.

    Raises:
        UserErrorException: a requirement, an option or the version cannot be understood.
    """

    python: str | None = None
    requirements: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    conda: CondaSpec | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        dropped = UrlSecrets()
        requirements = sorted({normalise_requirement(item, dropped) for item in self.requirements})
        options = dict.fromkeys(normalise_option(item, dropped) for item in self.options)
        object.__setattr__(self, "python", normalise_python(self.python))
        object.__setattr__(self, "requirements", tuple(requirements))
        object.__setattr__(self, "options", tuple(options))

    @property
    def asks_for_nothing(self) -> bool:
        """Whether the worker's own interpreter serves: no version, no package (options alone do nothing)."""
        return self.python is None and not self.requirements

    @property
    def spec_hash(self) -> str:
        """SHA-256 over the canonical JSON of format version, Python, requirements and options."""
        content = {"format": SPEC_FORMAT, **self.to_plain()}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def to_plain(self) -> dict[str, Any]:
        """Return the spec as JSON types, for a job description or a record."""
        return {"options": list(self.options), "python": self.python, "requirements": list(self.requirements)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PythonEnvironmentSpec:
        """Return the spec that ``to_plain`` described."""
        return cls(plain["python"], tuple(plain["requirements"]), tuple(plain.get("options", ())))

    def __str__(self) -> str:
        packages = ", ".join(self.requirements[:5]) or "no packages"
        more = f" and {len(self.requirements) - 5} more" if len(self.requirements) > 5 else ""
        return f"Python {self.python or 'of the worker'} with {packages}{more}"


def normalise_python(version: str | None) -> str | None:
    """Return ``3.10`` for ``3.10``, ``3.10.4``, ``=3.10`` or ``3.10.*``; a sorted range for a range.

    Raises:
        UserErrorException: it is neither.
    """
    text = re.sub(r"\s+", "", version or "")
    if text in ("", "*"):
        return None
    exact = re.match(r"^={0,2}v?(\d+)\.(\d+)(?:\.(?:\d+[a-z0-9]*|\*)|\*)?$", text)
    if exact:
        return f"{exact[1]}.{exact[2]}"
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    major = re.match(r"^={0,2}(\d+)(?:\.\*)?$", text)
    try:
        return ",".join(sorted(str(item) for item in SpecifierSet(f"=={major[1]}.*" if major else text)))
    except InvalidSpecifier as error:
        raise UserErrorException(
            f"Python version {version!r} is not understood. Write '3.10', or a range such as '>=3.9,<3.12'."
        ) from error


def python_matches(wanted: str | None, version: tuple[int, int, int]) -> bool:
    """Return whether an interpreter of ``version`` is what ``wanted`` (in its normalised form) asks for."""
    if wanted is None:
        return True
    if re.fullmatch(r"\d+\.\d+", wanted):
        return wanted == f"{version[0]}.{version[1]}"
    from packaging.specifiers import SpecifierSet

    return ".".join(map(str, version)) in SpecifierSet(wanted)
