"""The workspace of a demo: a folder or blobs, and where scripts run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from mlsteps.cli.azurite import Azurite
from mlsteps.cli.demo_choices import AZURITE, FOLDER, Compute, Place
from mlsteps.cli.demo_compute import check_compute, compute_settings

_CONTAINER = "mlsteps-demo"


@dataclass(frozen=True)
class DemoWorkspace:
    """A workspace that is there as long as the demo runs.

    :param folder: Of its ``workspace.yaml``, and of what it keeps on this machine.
    :param stays: Whether other commands can open it when the demo is over.
    :param environment: Variables that another Airflow needs to open it.
    """

    folder: Path
    stays: bool
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def demo_workspace(home: Path, place: Place, console: Console) -> Iterator[DemoWorkspace]:
    """Make the demo's workspace the default one, for this process and those it starts.

    :raises MlstepsException: its scripts cannot run where they shall, or its storage cannot be had.
    """
    told = check_compute(place)
    if told is not None:
        console.print(told)
    folder = home / place.folder
    settings = {**_storage_settings(place), **compute_settings(place)}
    if settings:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "workspace.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    os.environ["MLSTEPS_WORKSPACE"] = str(folder)
    if place.storage != AZURITE:
        yield DemoWorkspace(folder, stays=True)
        return
    with console.status("Starting Azurite (installed with npm, the first time)"):
        azurite = Azurite(home / "azurite", place.host)
        azurite.start()
    try:
        extra = {"connection_string": azurite.connection_string}
        connection = json.dumps({"conn_type": "wasb", "extra": extra})
        environment = {f"AIRFLOW_CONN_{AZURITE.upper()}": connection, "MLSTEPS_WORKSPACE": str(folder)}
        os.environ.update(environment)
        console.print(f"The workspace is on an emulator of Azure Blob Storage, at {azurite.url}")
        if place.compute is Compute.KUBERNETES and place.host == Place.host:
            console.print(
                "Only pods on this machine's own network reach it there: --host gives another address."
            )
        yield DemoWorkspace(folder, stays=False, environment=environment)
    finally:
        azurite.stop()


def _storage_settings(place: Place) -> dict[str, Any]:
    """Everything the pipelines make lies in a container of the account that an Airflow connection opens."""
    if place.storage == FOLDER:
        return {}
    blobs = {
        "type": "azure_blob",
        "container": _CONTAINER,
        "conn_id": place.storage,
        "create_if_not_exists": True,
    }
    return {"datastores": {"workspaceblobstore": blobs}}
