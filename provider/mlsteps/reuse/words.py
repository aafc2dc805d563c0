"""Differences in words: short, on one line, and without anything that may be a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsteps.reuse.canonical import Json
    from mlsteps.reuse.change import Change

SOURCE_DIRECTORY = "source directory"
ORDER_OF_ARGUMENTS = "order of arguments"

WIDTH = 60
ELLIPSIS = "…"

_COMMON = 20  # characters that are kept in front of the first difference of two long values
_LABELS = {
    "command": "",
    "argument": "",
    "extra": "",
    "version": "",
    "kind": "step type",
    "format": "format of the reuse key",
    "variable": "environment variable",
}
_SETTINGS = (".kind", ".suffix", ".path_on_compute")
_FILES = {"changed": "{} changed", "added": "+ {}", "removed": "- {}"}


def of_change(change: Change) -> str:
    """What ``change`` says, such as ``--lr 0.1 -> 0.2``."""
    name = tail(change.name)
    value = change.before if change.action == "removed" else change.after
    if change.name == SOURCE_DIRECTORY and change.part == "code":
        return f"{name} {change.action}"
    if change.part in ("code", "hash_paths"):
        return _FILES[change.action].format(name)
    if change.part == "variable" or (change.part, change.name) == ("argument", ORDER_OF_ARGUMENTS):
        return f"{_label(change, name)} {change.action}"
    if change.part == "input":
        port, separator, file = change.name.partition(": ")
        if separator:
            return f"input {tail(port)}: {_FILES[change.action].format(tail(file))}"
        if not change.name.endswith(_SETTINGS):
            return f"input {name} {change.action}"
    if change.part == "output" and isinstance(value, Mapping):
        return f"output {name} {change.action}"
    label = _label(change, name)
    if change.part == "argument" and all(
        isinstance(value, str) and value.startswith(change.name) for value in (change.before, change.after)
    ):
        label = ""  # --lr=0.1 -> --lr 0.1
    if change.action == "changed":
        before, after = _pair(change)
        return f"{label} {before} -> {after}".lstrip()
    return " ".join(filter(None, (label, head(_shown(change, value)), change.action)))


def head(text: str, width: int = WIDTH) -> str:
    """``text``, cut at its end if it is long."""
    return text if len(text) <= width else text[: width - 1] + ELLIPSIS


def tail(text: str, width: int = WIDTH) -> str:
    """``text`` on one line, cut at its start if it is long: the end of a path says more than its start."""
    text = printable(text)
    return text if len(text) <= width else ELLIPSIS + text[len(text) - width + 1 :]


def printable(text: str) -> str:
    """``text`` with line ends and the like as escapes."""
    return text if text.isprintable() else repr(text)[1:-1]


def show(value: Json, separator: str = ", ") -> str:
    """A value as people write it."""
    if isinstance(value, str):
        return printable(value) if value.strip() == value != "" else repr(value)
    if value is None:
        return "none"
    if isinstance(value, Sequence) and all(
        isinstance(item, str) or not isinstance(item, (Sequence, Mapping)) for item in value
    ):
        return separator.join(show(item) for item in value) if value else "nothing"
    return json.dumps(value, ensure_ascii=True, sort_keys=True)


def _label(change: Change, name: str) -> str:
    if change.part == "environment" and change.name == "kind":
        return "environment"
    if change.part in ("kind", "format"):
        return _LABELS[change.part]
    return f"{_LABELS.get(change.part, change.part)} {name}".strip()


def _shown(change: Change, value: Json) -> str:
    if change.part == "package" and value == "":
        return "any version" if change.action == "changed" else ""
    if change.part == "argument" and value is None:
        return "without value" if change.action == "changed" else ""
    return show(value, " " if change.part in ("argument", "command") else ", ")


def _pair(change: Change) -> tuple[str, str]:
    """Both values, short enough, and cut so that their difference shows."""
    before, after = _shown(change, change.before), _shown(change, change.after)
    if before == after:  # a number and its text
        before, after = (json.dumps(value, sort_keys=True) for value in (change.before, change.after))
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))))
    if max(len(before), len(after)) > WIDTH and common > _COMMON:
        before, after = (ELLIPSIS + text[common - _COMMON :] for text in (before, after))
    return head(before), head(after)
