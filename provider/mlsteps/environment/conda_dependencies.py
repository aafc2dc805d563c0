"""``CondaDependencies``: the Python version and packages that a script needs (SDK v1 ``azureml.core``)."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlsteps.environment.conda_file import checked_conda, read_conda_file
from mlsteps.environment.conda_names import conda_name
from mlsteps.environment.files import locate
from mlsteps.environment.redaction import (
    UrlSecrets,
    channel_without_credentials,
    redact,
    without_credentials,
)
from mlsteps.environment.requirements import (
    logical_lines,
    normalise_option,
    normalise_requirement,
    option,
    read_requirements_file,
    requirement_name,
)
from mlsteps.exceptions import UserErrorException

CONDA_FILE_NAME = "conda_dependencies.yml"

_PYTHON = "python"


class CondaDependencies:
    """Packages for a script, in the shape of a conda specification (SDK v1 ``CondaDependencies``).

    The environment is made by pip's means from a package index; conda packages are translated
    (``conda_names``). Where the index does not have one of them, and the extra ``conda`` is installed, it is
    made by conda's means from the channels. No ``python`` entry means the
    worker's own version: SDK v1 had a fixed default there. ``azureml-*`` packages may be listed and are not
    installed.

    Credentials inside index URLs stay in this object: no text or dictionary that it gives out holds them.

    Args:
        conda_dependencies_file_path: a conda YAML file. It must exist; it is read when first needed.
        _underlying_structure: the parsed content of such a file.

    Raises:
        UserErrorException: the file does not exist; at first use also, it is not a conda specification.
    """

    def __init__(
        self,
        conda_dependencies_file_path: str | os.PathLike[str] | None = None,
        _underlying_structure: Mapping[str, Any] | None = None,
    ) -> None:
        self._file: Path | None = None
        self._requirements_file: Path | None = None
        self._loaded: dict[str, Any] | None = None
        if conda_dependencies_file_path is not None:
            self._file = locate(conda_dependencies_file_path, "Conda specification")
        else:
            self._loaded = checked_conda(_underlying_structure or {}, "_underlying_structure")

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Iterable[str] | None = None,
        conda_packages: Iterable[str] | None = None,
        python_version: str | None = None,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Return dependencies with the given packages.

        Args:
            pip_indexurl: the package index to use instead of the machine's own setting.
            pip_packages: pip requirements.
            conda_packages: conda packages, such as ``scikit-learn=1.3``.
            python_version: such as ``3.10``; ``None`` is the worker's own.
            pin_sdk_version: accepted for SDK v1's sake; there is no SDK to pin.
        """
        made = CondaDependencies()
        if python_version is not None:
            made.set_python_version(python_version)
        for package in _several(conda_packages, "conda_packages"):
            made.add_conda_package(package)
        # not one by one: the same package may be listed twice with different markers
        made.set_pip_requirements(pip_packages or ())
        if pip_indexurl:
            made.set_pip_index_url(pip_indexurl)
        return made

    @classmethod
    def from_requirements_file(cls, file_path: str | os.PathLike[str]) -> CondaDependencies:
        """Return dependencies that are a pip requirements file, read when first needed."""
        made = cls()
        made._requirements_file = locate(file_path, "Requirements file")
        made._loaded = None
        return made

    @property
    def file_path(self) -> str | None:
        """The conda specification file that these dependencies come from, if they do."""
        return str(self._file) if self._file else None

    def set_python_version(self, version: str | None) -> None:
        """Ask for a Python version such as ``3.10``; ``None`` for the worker's own."""
        self._conda[:] = [item for item in self._conda if not _is_python(item)]
        if version is not None:
            text = str(version).strip()
            self._conda.insert(0, _PYTHON + (text if text[:1] in "=<>!~" else f"={text}"))

    def get_python_version(self) -> str | None:
        """Return the version asked for, as it was written (``3.8.13``, ``>=3.8``), or ``None``."""
        for item in self._conda:
            if _is_python(item):
                asked = item.strip().rpartition("::")[2][len(_PYTHON) :].strip(" =")
                # an exported file has the build string behind a second "="
                return (asked.partition("=")[0] if asked[:1].isdigit() else asked) or None
        return None

    @property
    def conda_packages(self) -> list[str]:
        """The conda packages, without ``python`` itself."""
        return [item for item in self._conda if isinstance(item, str) and not _is_python(item)]

    @property
    def conda_channels(self) -> list[str]:
        """The channels, credentials removed."""
        return [channel_without_credentials(channel) for channel in self._channels]

    def add_channel(self, channel: str) -> None:
        """Add a conda channel. It counts only where a package index cannot serve the packages."""
        channels = self._structure.setdefault("channels", [])
        if channel not in channels:
            channels.append(channel)

    def remove_channel(self, channel: str) -> None:
        """Remove a conda channel, if it is there."""
        self._structure["channels"] = [c for c in self._structure.get("channels") or [] if c != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Add a conda package; an entry for the same package is replaced."""
        text = _text(conda_package, "conda_package")
        if _is_python(text):
            self.set_python_version(
                text.rpartition("::")[2][len(_PYTHON) :].strip().removeprefix("=") or None
            )
            return
        self.remove_conda_package(text)
        pip_at = next((at for at, item in enumerate(self._conda) if isinstance(item, dict)), len(self._conda))
        self._conda.insert(pip_at, text)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove a conda package by its name, if it is there; a version in the argument does not matter."""
        name = conda_name(conda_package)
        self._conda[:] = [i for i in self._conda if not isinstance(i, str) or conda_name(i) != name]

    @property
    def pip_packages(self) -> list[str]:
        """The pip requirements, credentials removed."""
        return [without_credentials(item) for item in self._pip if not item.startswith("-")]

    @property
    def pip_options(self) -> list[str]:
        """The pip options, such as ``--extra-index-url ...``, credentials removed."""
        return [without_credentials(item) for item in self._pip if item.startswith("-")]

    def add_pip_package(self, pip_package: str) -> None:
        """Add a pip requirement; an entry for the same package is replaced."""
        text = _text(pip_package, "pip_package")
        self.remove_pip_package(text)
        self._writable_pip().append(text)

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove a pip requirement by its name, if it is there; a version in the argument does not matter."""
        name = requirement_name(pip_package)
        keep = [i for i in self._pip if (requirement_name(i) != name if name else i != pip_package)]
        self.set_pip_requirements(keep)

    def set_pip_index_url(self, index_url: str) -> None:
        """Use this index instead of the machine's own; credentials in it are seen by the installer only."""
        self.set_pip_option(f"--index-url {_text(index_url, 'index_url')}")

    def set_pip_option(self, pip_option: str) -> None:
        """Add a pip option, such as ``--pre``; of an option that can be there once, the last one counts."""
        text = _text(pip_option, "pip_option")
        if not text.startswith("-"):
            raise UserErrorException(f"{redact(text)!r} is not a pip option: options begin with '-'.")
        if option(text)[0] == "--index-url":
            self.remove_pip_option("--index-url")
        if text not in self._pip:
            self._writable_pip().insert(0, text)

    def remove_pip_option(self, pip_option: str) -> None:
        """Remove a pip option by its name, if it is there."""
        name = option(pip_option)[0]
        self.set_pip_requirements([i for i in self._pip if not i.startswith("-") or option(i)[0] != name])

    def set_pip_requirements(self, pip_requirements: Iterable[str]) -> None:
        """Replace all pip requirements and options."""
        lines = [line for text in _several(pip_requirements, "pip packages") for line in logical_lines(text)]
        self._conda[:] = [item for item in self._conda if not isinstance(item, dict)]
        if lines:
            self._conda.append({"pip": lines})

    def as_dict(self) -> dict[str, Any]:
        """Return a copy in the shape of a conda YAML file, credentials removed."""
        plain: dict[str, Any] = copy.deepcopy(self._structure)
        if self._pip:
            plain["dependencies"] = [i for i in self._conda if not isinstance(i, dict)]
            plain["dependencies"].append({"pip": [without_credentials(item) for item in self._pip]})
        if "channels" in plain:
            plain["channels"] = self.conda_channels
        return plain

    def serialize_to_string(self) -> str:
        """Return the text of a conda YAML file, credentials removed."""
        import yaml

        return str(yaml.safe_dump(self.as_dict(), sort_keys=False, default_flow_style=False))

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write a conda YAML file, return its path; ``path`` may be a folder, by default the working one."""
        target = Path(path) if path is not None else Path.cwd()
        if target.is_dir():
            target = target / CONDA_FILE_NAME
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.serialize_to_string(), encoding="utf-8")
        return str(target)

    def save_to_file(
        self, base_directory: str | os.PathLike[str], conda_file_path: str | os.PathLike[str] | None = None
    ) -> str:
        """Write a conda YAML file under ``base_directory`` and return its path relative to that."""
        relative = str(conda_file_path or CONDA_FILE_NAME)
        self.save(Path(base_directory) / relative)
        return relative

    def installer_lines(self, secrets: UrlSecrets) -> tuple[list[str], list[str]]:
        """Return pip requirements and pip options for a spec, their credentials moved to ``secrets``."""
        requirements = [normalise_requirement(i, secrets) for i in self._pip if not i.startswith("-")]
        return requirements, [normalise_option(i, secrets) for i in self._pip if i.startswith("-")]

    def channel_urls(self, secrets: UrlSecrets) -> list[str]:
        """Return the channels for a spec, their credentials moved to ``secrets``."""
        return [secrets.hide_channel(channel) for channel in self._channels]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CondaDependencies) and self._structure == other._structure

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        if self._loaded is None:
            return f"CondaDependencies({str(self._file or self._requirements_file)!r}, not read yet)"
        return (
            f"CondaDependencies(python={self.get_python_version()!r}, conda_packages={self.conda_packages}, "
            f"pip_packages={self.pip_packages}, pip_options={self.pip_options})"
        )

    @property
    def _structure(self) -> dict[str, Any]:
        if self._loaded is None:
            if self._requirements_file is not None:
                self._loaded = {"dependencies": [{"pip": read_requirements_file(self._requirements_file)}]}
            elif self._file is not None:
                self._loaded = read_conda_file(self._file)
            else:
                self._loaded = {}
        return self._loaded

    @property
    def _channels(self) -> list[str]:
        return [str(channel) for channel in self._structure.get("channels") or []]

    @property
    def _conda(self) -> list[Any]:
        dependencies: list[Any] = self._structure.setdefault("dependencies", [])
        return dependencies

    @property
    def _pip(self) -> list[str]:
        return [line for item in self._conda if isinstance(item, dict) for line in item["pip"]]

    def _writable_pip(self) -> list[str]:
        for item in self._conda:
            if isinstance(item, dict):
                lines: list[str] = item["pip"]
                return lines
        section: dict[str, list[str]] = {"pip": []}
        self._conda.append(section)
        return section["pip"]


def _several(value: Iterable[str] | None, argument: str) -> list[str]:
    if isinstance(value, str):  # list("six") would be three packages
        raise UserErrorException(f"{argument} must be a list of strings, not the string {redact(value)!r}.")
    return [_text(item, argument) for item in value or ()]


def _text(value: object, argument: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserErrorException(f"{argument} must be a text that is not empty, not {redact(repr(value))}.")
    return value.strip()


def _is_python(item: object) -> bool:
    return isinstance(item, str) and conda_name(item) == _PYTHON
