"""Which runs of MLflow stand for ours: small files beside the records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.records.store import dump_json, load_json

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.tracking.server import MlflowServer

VERSION = 1
_CLAIM = "mlflow-claim.json"
_SECONDS_TO_WAIT = 10
_PAUSE = 0.2


def link_of(store: Store, folder: str, server: MlflowServer) -> Mapping[str, Any] | None:
    """The MLflow run of what is recorded in a folder; None if that server has none."""
    link = load_json(store, f"{folder}/mlflow.json", VERSION)
    return link if link is not None and link["uri"] == server.uri else None


def is_linked(store: Store, folder: str) -> bool:
    """Whether what is recorded in a folder was sent to any server."""
    return store.stat(f"{folder}/mlflow.json") is not None


def keep_link(store: Store, folder: str, server: MlflowServer, run: str, experiment: str) -> None:
    """Write it down."""
    told = {"version": VERSION, "uri": server.uri, "run_id": run, "experiment_id": experiment}
    store.write(f"{folder}/mlflow.json", dump_json(told))


def known_pipeline(store: Store, folder: str, server: MlflowServer) -> Mapping[str, Any] | None:
    """The MLflow run of a pipeline run; None if the caller shall look for it there, and make it.

    Of several steps that come first at once, one makes it, and the others wait a while.
    """
    for turn in range(int(_SECONDS_TO_WAIT / _PAUSE)):
        link = link_of(store, folder, server)
        if link is not None:
            return link
        if turn == 0 and store.create(f"{folder}/{_CLAIM}", dump_json({"version": VERSION})):
            return None
        time.sleep(_PAUSE)
    return None  # whoever claimed it was killed


def give_up_pipeline(store: Store, folder: str) -> None:
    """Let others try to make the MLflow run of a pipeline run, of whom nobody waits for the caller then."""
    store.delete(f"{folder}/{_CLAIM}")
