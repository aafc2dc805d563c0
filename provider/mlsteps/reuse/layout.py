"""Where reuse keeps its files on the workspace's record store. All their paths are made here."""

from __future__ import annotations

import re

from mlsteps.exceptions import UserErrorException
from mlsteps.records.layout import path_part

ENTRIES = "mlsteps/reuse"
HISTORY = "mlsteps/reuse-history"
CLAIMS = "mlsteps/claims"

# What stands in front of the digits of today's fingerprints; a file is named by the digits only.
KIND = "sha256k"

_FINGERPRINT = re.compile(r"[a-z0-9]+:([0-9a-f]{64})")


def is_fingerprint(value: object) -> bool:
    """Whether ``value`` is the text of a fingerprint."""
    return isinstance(value, str) and _FINGERPRINT.fullmatch(value) is not None


def digits(fingerprint: str) -> str:
    """The digits of a fingerprint, which name its files.

    :raises UserErrorException: it is no fingerprint, so it could be any path.
    """
    found = _FINGERPRINT.fullmatch(fingerprint)
    if found is None:
        raise UserErrorException(f"{fingerprint!r} is no fingerprint: it has to be like {KIND}:0123...cdef.")
    return found.group(1)


def entry(fingerprint: str) -> str:
    """The reuse entry of a fingerprint."""
    name = digits(fingerprint)
    return f"{ENTRIES}/{name[:2]}/{name}.json"


def history(dag_id: str, task_id: str) -> str:
    """The last fingerprints of a step."""
    return f"{HISTORY}/{path_part(dag_id)}/{path_part(task_id)}.json"


def claim(fingerprint: str) -> str:
    """Who computes a fingerprint: the first claim on it."""
    return f"{CLAIMS}/{digits(fingerprint)}.json"


def successor(fingerprint: str, dead: str) -> str:
    """The claim of whoever took over from the claim with the id ``dead``."""
    return f"{CLAIMS}/{digits(fingerprint)}.after.{dead}.json"


def beat(fingerprint: str, claim_id: str) -> str:
    """The sign of life of the holder of a claim."""
    return f"{CLAIMS}/{digits(fingerprint)}.{claim_id}.beat"
