"""Reads a conda YAML file and checks that it has the shape the rest relies on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlsteps.environment.redaction import redact
from mlsteps.environment.requirements import logical_lines, option, read_requirements_file
from mlsteps.exceptions import UserErrorException


def read_conda_file(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = redact(str(error))
        raise UserErrorException(f"Conda specification {str(path)!r} cannot be read: {reason}") from error
    structure = checked_conda(content if content is not None else {}, str(path))
    pip = [line for item in structure["dependencies"] if isinstance(item, dict) for line in item["pip"]]
    if any(line.startswith("-") and option(line)[0] == "--requirement" for line in pip):
        structure["dependencies"] = [i for i in structure["dependencies"] if not isinstance(i, dict)]
        structure["dependencies"].append({"pip": _with_included(pip, path.parent)})
    return structure


def _with_included(lines: list[str], folder: Path) -> list[str]:
    entries: list[str] = []
    for line in lines:
        name, value = option(line) if line.startswith("-") else ("", "")
        entries += read_requirements_file((folder / value).resolve()) if name == "--requirement" else [line]
    return entries


def checked_conda(content: object, origin: str) -> dict[str, Any]:
    """Return a copy of a parsed conda specification in which every part has the type the rest relies on."""
    if not isinstance(content, Mapping):
        raise UserErrorException(f"Conda specification {origin!r}: there is no 'dependencies:' at its top.")
    structure = copy.deepcopy(dict(content))
    dependencies = structure.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise UserErrorException(f"Conda specification {origin!r}: 'dependencies' must be a list.")
    checked: list[Any] = []
    structure["dependencies"] = checked
    for item in dependencies:
        if isinstance(item, Mapping) and set(item) == {"pip"} and isinstance(item["pip"], (list, type(None))):
            lines = [line for text in item["pip"] or [] for line in logical_lines(str(text))]
            checked.append({"pip": lines})
        elif isinstance(item, str):
            checked.append(item)
        else:
            raise UserErrorException(
                f"Conda specification {origin!r}: each dependency is a package, or 'pip:' with a list; "
                f"not {redact(repr(item))}."
            )
    return structure
