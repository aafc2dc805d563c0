"""Containers that nobody answers for any more, and what removes them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.reuse.process import has_ended

if TYPE_CHECKING:
    from docker import DockerClient

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


def sweep(engine: DockerClient) -> None:
    """Remove containers whose worker, on this machine, has ended, and those that this process left."""
    with contextlib.suppress(Exception):  # nothing depends on it
        for found in engine.api.containers(all=True, filters={"label": [WORKER_LABEL]}):
            with contextlib.suppress(Exception):  # somebody else removes it at this moment
                if found["Id"] in _left_behind or has_ended(_worker_of(found)):
                    engine.api.remove_container(found["Id"], force=True, v=True)
                    _left_behind.discard(found["Id"])


def _worker_of(found: Mapping[str, Any]) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = json.loads(found["Labels"][WORKER_LABEL])
    return facts
