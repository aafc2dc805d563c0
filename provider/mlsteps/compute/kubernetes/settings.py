"""What settings of a KubernetesCompute may be, checked where a DAG file is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlsteps.exceptions import ComputeTargetException

_POLICIES = (None, "Always", "IfNotPresent", "Never")
# Azure gives out keys to sign with for a week at most.
_MOST_HOURS = 160


def checked_settings(where: str, given: Mapping[str, Any]) -> None:
    """Look at the settings that nothing else looks at.

    :raises ComputeTargetException: one is unusable; the text names it.
    """
    for key in ("kubernetes_conn_id", "python", "gpu_resource"):
        if not isinstance(given[key], str) or not given[key]:
            _refuse(where, key, "a text", given[key])
    engine = given["docker_engine_conn_id"]
    if not isinstance(engine, (str, type(None))) or (engine is not None and given["docker_url"] is not None):
        _refuse(where, "docker_engine_conn_id", "the id of a connection in place of docker_url", engine)
    for key in ("node_selector",):
        if given[key] is not None and not _is_texts(given[key]):
            _refuse(where, key, "texts by name, such as {'disk': 'ssd'}", given[key])
    tolerations = given["tolerations"]
    if not _is_list(tolerations) or not all(isinstance(one, Mapping) for one in tolerations):
        _refuse(
            where,
            "tolerations",
            "a list such as [{'key': 'gpu', 'operator': 'Exists'}]",
            given["tolerations"],
        )
    secrets = given["image_pull_secrets"]
    if not _is_list(secrets) or not all(isinstance(one, str) for one in secrets):
        _refuse(where, "image_pull_secrets", "a list of names", given["image_pull_secrets"])
    if given["image_pull_policy"] not in _POLICIES:
        _refuse(where, "image_pull_policy", "Always, IfNotPresent or Never", given["image_pull_policy"])
    if not isinstance(given["pod_template"], (Mapping, str, type(None))):
        _refuse(where, "pod_template", "a manifest, or the path of a file with one", given["pod_template"])
    if given["gpus"] == "all":
        _refuse(where, "gpus", "a number: a pod gets so many of a node's", "all")
    if not isinstance(given["deferrable"], bool):
        _refuse(where, "deferrable", "True or False", given["deferrable"])
    if not _is_number(given["startup_minutes"]):
        _refuse(where, "startup_minutes", "a number above 0", given["startup_minutes"])
    if not _is_number(given["max_hours"]) or given["max_hours"] > _MOST_HOURS:
        _refuse(where, "max_hours", f"a number above 0 and at most {_MOST_HOURS}", given["max_hours"])


def _refuse(where: str, key: str, wanted: str, got: object) -> None:
    raise ComputeTargetException(f"{where}: {key} is {wanted}, got {got!r}.")


def _is_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(text, str) for pair in value.items() for text in pair
    )


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
