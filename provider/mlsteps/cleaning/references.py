"""What a step's record, a reuse entry or an unreadable file refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlsteps.cleaning.things import ENTRIES, LISTINGS, OUTPUT_ROOTS, OUTPUTS, RUNS, SNAPSHOTS, Thing
from mlsteps.records import StepRecord, layout
from mlsteps.reuse.entry import ReuseEntry
from mlsteps.reuse.layout import digits

_PART = r"([^/\s\"'\\]+)"
_RUN = re.compile(rf"{re.escape(layout.RUNS)}/{_PART}/{_PART}")
_OUTPUT = re.compile(rf"(?:{'|'.join(OUTPUT_ROOTS)})/{_PART}")
_STEP_RUN_ID = re.compile(rf"\"step_run_id\"\s*:\s*\"{_PART}\"")
_DIGITS = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def of_step(record: StepRecord) -> frozenset[Thing]:
    """Everything that has to stay for as long as this record does."""
    found = {Thing(OUTPUTS, record.step_run_id), *_of_key(record.key)}
    if record.fingerprint:
        found.add(Thing(ENTRIES, digits(record.fingerprint)))
    if record.source.get("snapshot"):
        found |= _of_code(record.source["snapshot"])
    for given in record.inputs.values():
        found |= _of_path(given.get("path"))
        if given.get("digest"):
            found.add(_listing(given["digest"]))
    for made in record.outputs.values():
        found |= _of_path(made.get("path")) | _of_path(made.get("manifest"))
    if record.reused_from:
        found |= _of_path(record.reused_from.get("folder"))
    return frozenset(found)


def of_entry(entry: ReuseEntry) -> frozenset[Thing]:
    """Everything that a hit of this entry hands on or shows."""
    found = {Thing(OUTPUTS, entry.origin.step_run_id), *_of_key(entry.key), *_of_path(entry.origin.folder)}
    for output in entry.outputs.values():
        found |= _of_path(output.reference.get("path"))
    return frozenset(found)


def in_text(data: bytes) -> frozenset[Thing]:
    """Everything that is named in a file of whatever form. It is better to find too much."""
    text = data.decode("utf-8", errors="replace")
    found = {Thing(RUNS, match.group()) for match in _RUN.finditer(text)}
    for pattern in (_OUTPUT, _STEP_RUN_ID):
        found |= {Thing(OUTPUTS, match.group(1)) for match in pattern.finditer(text)}
    for match in _DIGITS.finditer(text):
        found |= {Thing(kind, match.group()) for kind in (ENTRIES, SNAPSHOTS, LISTINGS)}
    return frozenset(found)


def fixed_destinations(key: Mapping[str, Any]) -> Iterator[str]:
    """Folders right below an output root that a user named as a step's destination: they are no run's own."""
    for name, declared in key.get("outputs", {}).items():
        destination = declared.get("destination")
        if isinstance(destination, str) and "{run-id}" not in destination:
            path = destination.replace("{output-name}", name).replace("\\", "/").strip("/")
            yield from (thing.name for thing in _of_path(path) if thing.kind == OUTPUTS)


def _of_key(key: Mapping[str, Any]) -> set[Thing]:
    found = _of_code(key["code"]) if key.get("code") else set()
    packages = key.get("environment", {}).get("packages")
    if isinstance(packages, str):
        found.add(_listing(packages))
    return found | {_listing(given["digest"]) for given in key.get("inputs", {}).values()}


def _of_code(digest: str) -> set[Thing]:
    return {Thing(SNAPSHOTS, digest.rpartition(":")[2]), _listing(digest)}


def _listing(digest: str) -> Thing:
    return Thing(LISTINGS, digest.rpartition(":")[2])


def _of_path(path: str | None) -> set[Thing]:
    """The run or the outputs that a path on a store belongs to."""
    parts = [part for part in (path or "").split("/") if part not in ("", ".")]
    if len(parts) > 1 and parts[0] in OUTPUT_ROOTS:
        return {Thing(OUTPUTS, parts[1])}
    if len(parts) > 3 and "/".join(parts[:2]) == layout.RUNS:
        return {Thing(RUNS, "/".join(parts[:4]))}
    return set()
