"""The workspace of a demo: a folder or an emulator of Azure Blob Storage, and where scripts run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from mlsteps.cli.azurite import Azurite
from mlsteps.cli.demo_choices import Compute, Place, Storage

_CONNECTION = "azurite"
_STORAGE = f"""\
# Everything the pipelines make lies in a container of the storage account that this Airflow connection opens.
datastores:
  workspaceblobstore:
    type: azure_blob
    container: mlsteps-demo
    conn_id: {_CONNECTION}
    create_if_not_exists: true
"""

# They need no network; what the scripts import is made into an image once.
_COMPUTE = """\
compute_targets:
  docker:
    type: docker
    base_image: "{image}"
    packages: [scikit-learn, pandas, matplotlib, joblib]
    network_mode: none
default_compute_target: docker
"""


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
    """Make the demo's workspace the default one, for this process and those it starts."""
    folder = home / place.folder
    settings = _STORAGE if place.storage is Storage.AZURITE else ""
    if place.compute is Compute.DOCKER:
        settings += _COMPUTE.replace("{image}", place.image)
    if settings:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "workspace.yaml").write_text(settings)
    if place.storage is Storage.FOLDER:
        os.environ["MLSTEPS_WORKSPACE"] = str(folder)
        yield DemoWorkspace(folder, stays=True)
        return
    with console.status("Starting Azurite (installed with npm, the first time)"):
        azurite = Azurite(home / "azurite")
        azurite.start()
    try:
        extra = {"connection_string": azurite.connection_string}
        connection = json.dumps({"conn_type": "wasb", "extra": extra})
        environment = {f"AIRFLOW_CONN_{_CONNECTION.upper()}": connection, "MLSTEPS_WORKSPACE": str(folder)}
        os.environ.update(environment)
        console.print(f"The workspace is on an emulator of Azure Blob Storage, at {azurite.url}")
        yield DemoWorkspace(folder, stays=False, environment=environment)
    finally:
        azurite.stop()
