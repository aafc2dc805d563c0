"""The one node of the tests' double of Kubernetes, and which pods fit it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Plain = dict[str, Any]

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9, "m": 1e-3, "": 1}


def quantity(text: object) -> float:
    """``500m``, ``2`` or ``1Gi`` as a number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", str(text))
    assert found is not None, f"{text!r} is no quantity"
    return float(found.group(1)) * _UNITS[found.group(2)]


@dataclass
class Node:
    """The one node there is.

    :param capacity: What pods may ask for; each alone, as nobody counts what others have.
    :param claims: Folders of this machine, by the names of the volume claims that they stand for.
    :param full: A text makes every pod wait, for this reason.
    """

    capacity: Plain = field(default_factory=lambda: {"cpu": 2, "memory": "4Gi"})
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Plain] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    full: str | None = None

    def why_not(self, spec: Mapping[str, Any]) -> str | None:
        """Why a pod cannot be put here, in the scheduler's words."""
        if self.full:
            return self.full
        wanted = spec.get("nodeSelector") or {}
        if any(self.labels.get(key) != value for key, value in wanted.items()):
            return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        for taint in self.taints:
            if not any(_tolerates(one, taint) for one in spec.get("tolerations") or ()):
                return f"0/1 nodes are available: 1 node(s) had untolerated taint {{{taint['key']}}}."
        for container in spec["containers"]:
            asked = (container.get("resources") or {}).get("requests") or {}
            limits = (container.get("resources") or {}).get("limits") or {}
            for name, amount in {**limits, **asked}.items():
                if quantity(amount) > quantity(self.capacity.get(name, 0)):
                    return f"0/1 nodes are available: 1 Insufficient {name}."
        for volume in spec.get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim is not None and claim not in self.claims:
                return f'0/1 nodes are available: persistentvolumeclaim "{claim}" not found.'
        return None


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("key") not in (None, taint["key"]):
        return False
    exists = toleration.get("operator", "Equal") == "Exists"
    return exists or toleration.get("value", "") == taint.get("value", "")
