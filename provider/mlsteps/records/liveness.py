"""Whether a step that is recorded as running can still be: a killed worker leaves no last word."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlsteps.records.step import FAILED, RUNNING, StepRecord


def process_identity() -> Mapping[str, Any]:
    """This process, in terms that another process can look it up by if it sees the same processes at all."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "processes": _process_space()}


def settled(record: StepRecord) -> StepRecord:
    """``record``, or what it has to be read as if its process is known to be gone.

    Only where that can be known: from the same machine, container and boot as the process.
    """
    if record.state != RUNNING or not _process_space() or record.where.get("processes") != _process_space():
        return record
    if Path(f"/proc/{record.where.get('pid')}").exists():
        return record
    return record.with_(state=FAILED, error="Its process ended without a word: it was killed from outside.")


def _process_space() -> str:
    """What tells one numbering of processes from another: boot and namespace. Empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
