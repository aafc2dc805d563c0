"""Containers that nobody answers for any more, and what removes them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.reuse.process import has_ended

if TYPE_CHECKING:
    from docker import DockerClient

    from mlsteps.compute.staged import StagingArea

AREA_LABEL = "mlsteps.area"
"""Of a container that a staging area belongs to: its name."""
STEP_LABEL = "mlsteps.step"
"""The same for all tries of one step."""

# Containers of this process that the engine did not remove when it was asked to.
_left_behind: set[str] = set()


def remove(api: Any, container: str) -> None:
    """Remove a container, now or with a later :func:`sweep`: what its job came to stands either way."""
    from docker.errors import NotFound

    try:
        api.remove_container(container, force=True, v=True)
    except NotFound:
        pass
    except Exception:  # also those of requests and urllib3, as when the engine is gone
        _left_behind.add(container)


def sweep(engine: DockerClient, areas: StagingArea | None = None, step: str | None = None) -> None:
    """Remove containers whose worker, on this machine, has ended, and those that this process left.

    :param areas: A staging area on the account of those to delete with them; without it, containers that one
        belongs to are left for who has it.
    :param step: Of what other tries of this step left, the workers have ended wherever they were.
    """
    with contextlib.suppress(Exception):  # nothing depends on it
        for found in engine.api.containers(all=True, filters={"label": [WORKER_LABEL]}):
            with contextlib.suppress(Exception):  # somebody else removes it at this moment
                area = found["Labels"].get(AREA_LABEL)
                if area is not None and areas is None:
                    continue
                if _is_left(found, step):
                    if area is not None and areas is not None:
                        areas.beside(area).delete()
                    engine.api.remove_container(found["Id"], force=True, v=True)
                    _left_behind.discard(found["Id"])


def _is_left(found: Mapping[str, Any], step: str | None) -> bool:
    from mlsteps.compute.staged.area import FORGOTTEN

    labels = found["Labels"]
    if found["Id"] in _left_behind or has_ended(json.loads(labels[WORKER_LABEL])):
        return True
    if AREA_LABEL not in labels:
        return False
    forgotten = found["Created"] < time.time() - FORGOTTEN.total_seconds()
    return forgotten or (step is not None and labels.get(STEP_LABEL) == step)
