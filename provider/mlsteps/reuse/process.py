"""Telling from outside whether a process has ended, where that can be known for certain."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlsteps.records.liveness import process_identity


def process_facts() -> Mapping[str, Any]:
    """This process, so that another one can tell later whether it still is the one with this number."""
    seen = _look_up(os.getpid())
    return {**process_identity(), "started": seen.started if seen else None}


def has_ended(facts: Mapping[str, Any]) -> bool:
    """Whether the process with these facts is known to have ended.

    That is known only within the same boot and the same numbering of processes; elsewhere the answer is no.
    """
    space, pid = process_identity()["processes"], facts.get("pid")
    if not space or facts.get("processes") != space or not isinstance(pid, int) or pid <= 0:
        return False
    seen = _look_up(pid)
    if seen is None:
        return not _exists(pid)
    if isinstance(facts.get("started"), int) and facts["started"] != seen.started:
        return True
    # Nobody has asked yet how a zombie ended, but it has: if it is not only its first thread.
    return seen.state in "ZX" and seen.threads <= 1


class _Process(NamedTuple):
    state: str
    threads: int
    started: int


def _look_up(pid: int) -> _Process | None:
    """What the kernel tells of a process; None if nothing, as of others' where /proc is mounted so."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
        # The program's name stands in parentheses, and may itself hold any character.
        fields = text.rpartition(b")")[2].split()
        return _Process(fields[0].decode(), int(fields[17]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True
