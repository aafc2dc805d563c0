"""Compare two reuse keys: what changed since an earlier result, for people and as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from mlsteps.reuse.arguments import command_changes, without_parameters
from mlsteps.reuse.canonical import Json, same
from mlsteps.reuse.change import Change, Part, distance
from mlsteps.reuse.key import InputKey, Key
from mlsteps.reuse.words import SOURCE_DIRECTORY

__all__ = ["Change", "Listing", "compare", "distance"]

Listing = Callable[[str], "Mapping[str, str] | None"]
"""Gives the files of a folder by its digest: for each path whatever tells two versions of the file apart."""

_MOST_FILES = 20
_REQUIREMENT = re.compile(  # but no URL
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?![A-Za-z0-9._+:/-])\s*(?P<wanted>.*)", re.DOTALL
)
_PIN = re.compile(r"={2,3}\s*([^\s,;*]+)")


def compare(before: Key, after: Key, listing: Listing) -> tuple[Change, ...]:
    """What differs between two keys, always in the same order; empty if and only if they are equal.

    :param listing: For digests of source directories and inputs; None where the files are not known. Without
        files a folder is told as a whole.
    """
    if before == after:
        return ()
    parameters = list(_items("parameter", before.parameters, after.parameters))
    arguments = without_parameters(command_changes(before.command, after.command), parameters)
    return (
        *_code(before.code, after.code, listing),
        *_items("hash_paths", before.hash_paths, after.hash_paths),
        *arguments,
        *parameters,
        *_inputs(before.inputs, after.inputs, listing),
        *_outputs(before.outputs, after.outputs),
        *_variables(before.variables, after.variables),
        *_environment(before.environment, after.environment),
        *_single("version", before.version, after.version),
        *_items("extra", before.extra, after.extra),
        *_single("kind", before.kind, after.kind),
        *_single("format", before.format, after.format),
    )


def _items(
    part: Part, before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = ""
) -> Iterator[Change]:
    """A change for each name that stands for something else than before."""
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield Change(part, prefix + name, None, after[name], "added")
        elif name not in after:
            yield Change(part, prefix + name, before[name], None, "removed")
        elif not same(before[name], after[name]):
            yield Change(part, prefix + name, before[name], after[name])


def _single(part: Part, before: Json, after: Json, name: str | None = None) -> Iterator[Change]:
    old, new = ({} if value is None else {name or part: value} for value in (before, after))
    return _items(part, old, new)


def _code(before: str | None, after: str | None, listing: Listing) -> Iterator[Change]:
    if before is not None and after is not None and before != after:
        files = _files("code", "", before, after, listing)
        if files:
            return iter(files)
    return _single("code", before, after, SOURCE_DIRECTORY)


def _inputs(
    before: Mapping[str, InputKey], after: Mapping[str, InputKey], listing: Listing
) -> Iterator[Change]:
    for port in sorted(before.keys() | after.keys()):
        old, new = before.get(port), after.get(port)
        if old is None or new is None:
            yield from _single("input", old.digest if old else None, new.digest if new else None, port)
            continue
        settings, other_settings = _settings(old), _settings(new)
        if old.kind != new.kind:  # the content and the suffix are of another kind, too
            settings.pop("suffix", None)
            other_settings.pop("suffix", None)
        elif old.digest != new.digest:
            known = old.kind == "directory" and _files("input", f"{port}: ", old.digest, new.digest, listing)
            yield from known or [Change("input", port, old.digest, new.digest)]
        yield from _items("input", settings, other_settings, f"{port}.")


def _settings(port: InputKey) -> dict[str, str]:
    return {name: value for name, value in asdict(port).items() if name != "digest" and value is not None}


def _files(part: Part, prefix: str, before: str, after: str, listing: Listing) -> list[Change]:
    """The files that differ between two folders; none where they are not known."""
    old, new = listing(before), listing(after)
    if old is None or new is None:
        return []
    changes = list(_items(part, old, new, prefix))
    more = len(changes) - _MOST_FILES
    if more > 0:
        files = "1 more file" if more == 1 else f"{more} more files"
        changes[_MOST_FILES:] = [Change(part, f"{prefix}{files}", None, more)]
    return changes


def _outputs(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    for port in sorted(before.keys() | after.keys()):
        if port in before and port in after:
            yield from _items("output", before[port], after[port], f"{port}.")
        else:
            yield from _single("output", before.get(port), after.get(port), port)


def _variables(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for change in _items("variable", before, after):
        yield Change("variable", change.name, action=change.action)


def _environment(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = dict(before), dict(after)
    if not same(old.get("kind"), new.get("kind")):
        # Everything else differs as well, and says no more than this.
        yield from _items("environment", {**_of(old, "kind")}, {**_of(new, "kind")})
        yield from _items("environment", _of(old, "python"), _of(new, "python"))
        return
    packages: list[Change] = []
    for name, read in (("packages", _packages), ("requirements", _requirements)):
        known, wanted = read(old.get(name)), read(new.get(name))
        if known is not None and wanted is not None:
            found = list(_items("package", known, wanted))
            if found or same(old.get(name), new.get(name)):
                packages += found
                old.pop(name, None)
                new.pop(name, None)
    yield from _items("environment", old, new)
    yield from packages


def _of(environment: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: environment[name]} if name in environment else {}


def _packages(value: object) -> Mapping[str, Any] | None:
    """Versions by package name; None if it is something else."""
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else None


def _requirements(value: object) -> Mapping[str, str] | None:
    """What is wanted of each package, by name: a version where one is pinned, else as pip reads it."""
    if value is None:
        return {}
    if not isinstance(value, (list, tuple)) or not all(isinstance(line, str) for line in value):
        return None
    found: dict[str, list[str]] = {}
    for line in value:
        match = _REQUIREMENT.fullmatch(line.strip())
        name, wanted = (match["name"], match["wanted"]) if match else (line.strip(), "")
        pin = _PIN.fullmatch(wanted)
        name = re.sub(r"[-_.]+", "-", name).lower() if match else name
        found.setdefault(name, []).append(pin[1] if pin else wanted)
    return {name: ", ".join(sorted(set(wanted))) for name, wanted in found.items()}
