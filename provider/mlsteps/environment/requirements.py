"""Pip requirements: reading a requirements file, one canonical spelling for each, which options may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mlsteps.environment.redaction import UrlSecrets, redact
from mlsteps.exceptions import UserErrorException

URL_OPTIONS = ("--index-url", "--extra-index-url", "--find-links")
"""Options that name a place; their order is kept, because installers search in it."""

_VALUE_OPTIONS = (*URL_OPTIONS, "--only-binary", "--no-binary", "--trusted-host")
_FLAG_OPTIONS = ("--no-index", "--pre", "--prefer-binary")
_SHORT = {"-i": "--index-url", "-f": "--find-links", "--pypi-url": "--index-url", "-r": "--requirement"}
_LOCAL = re.compile(r"^(?:\.{0,2}/|\.{1,2}$|~|file:|[A-Za-z]:[\\/])")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def read_requirements_file(path: Path, _including: tuple[Path, ...] = ()) -> list[str]:
    """Return the requirements and options of a pip requirements file, one a line, with files it includes.

    Raises:
        UserErrorException: the file, or one that it includes, cannot be read, or they include each other.
    """
    if path in _including:
        raise UserErrorException(f"Requirements file {str(path)!r} includes itself.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(f"Requirements file {str(path)!r} cannot be read: {error}") from error
    entries: list[str] = []
    for line in logical_lines(text):
        name, value = option(line) if line.startswith("-") else ("", "")
        if name == "--requirement":
            entries += read_requirements_file((path.parent / value).resolve(), (*_including, path))
        else:
            entries.append(line)
    return entries


def logical_lines(text: str) -> Iterator[str]:
    """Yield the lines of a requirements file: continuations joined, comments and blank lines gone."""
    joined = re.sub(r"\\[ \t]*\r?\n", " ", text)
    for raw in joined.splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", raw).strip()
        if line:
            yield line


def option(line: str) -> tuple[str, str]:
    """Return name and value of an option line; the short spellings become the long ones."""
    match = re.match(r"^(-[A-Za-z]|--[A-Za-z-]+)(?:\s*=\s*|\s+|(?<=^-[A-Za-z])(?=\S)|$)(.*)$", line)
    if match is None:
        raise UserErrorException(f"{redact(line)!r} is not a pip option.")
    return _SHORT.get(match[1], match[1]), match[2].strip().strip("'\"")


def normalise_option(line: str, secrets: UrlSecrets) -> str:
    """Return the canonical spelling of an allowed option, its credentials moved to ``secrets``.

    Raises:
        UserErrorException: the option is not among the allowed ones. Those that would read more files or
            change where things are installed have no place in a description that is to mean the same on every
            machine.
    """
    name, value = option(line)
    if name in _FLAG_OPTIONS and not value:
        return name
    if name in _VALUE_OPTIONS and value:
        return f"{name} {secrets.hide(value) if name in URL_OPTIONS else value}"
    allowed = ", ".join((*_VALUE_OPTIONS, *_FLAG_OPTIONS))
    raise UserErrorException(
        f"Pip option {redact(line)!r} is not allowed in an environment (allowed: {allowed}). "
        "A package from a local folder belongs into source_directory, or into a wheel on an index."
    )


def normalise_requirement(line: str, secrets: UrlSecrets) -> str:
    """Return the canonical spelling of one requirement, its credentials moved to ``secrets``.

    Raises:
        UserErrorException: it is not a requirement, or names a local file, which other machines do not have.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    text, *hashes = re.split(r"\s+--hash[=\s]\s*", line.strip())
    tail = "".join(f" --hash={item.strip()}" for item in sorted(hashes))
    if _LOCAL.match(text):
        raise UserErrorException(
            f"Pip package {redact(line)!r} is a local path. Put the code into source_directory, "
            "or build a wheel and name it by its index or its https URL."
        )
    if _URL.match(text):
        return secrets.hide(text) + tail
    try:
        parsed = Requirement(_pep508(text))
    except InvalidRequirement as error:
        reason = redact(str(error)).splitlines()[0]
        raise UserErrorException(f"Pip package {redact(line)!r} is not a requirement: {reason}") from error
    extras = ",".join(sorted(canonicalize_name(extra) for extra in parsed.extras))
    name = canonicalize_name(parsed.name) + (f"[{extras}]" if extras else "")
    where = f" @ {secrets.hide(parsed.url)}" if parsed.url else str(parsed.specifier)
    # a blank must end a URL before the marker
    marker = f"{' ' if parsed.url else ''}; {parsed.marker}" if parsed.marker else ""
    return name + where + marker + tail


def _pep508(text: str) -> str:
    # "name=1.2" is conda's spelling, often written among pip packages; pip says "did you mean ==" and stops
    return re.sub(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?)\s*=\s*(?=[\d])", r"\1==", text)


def requirement_name(line: str) -> str:
    """Return the canonical package name of a requirement, or an empty string for a bare URL or option."""
    match = re.match(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?!\S*://)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match and not _URL.match(line.strip()) else ""
