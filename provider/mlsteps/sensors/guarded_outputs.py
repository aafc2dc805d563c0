"""The data that guards make: where a ReuseSensor was told that it lies, and what is there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.data import DataReference, PortDataReference, Producer
from mlsteps.data.content import marks_at
from mlsteps.exceptions import DataNotFoundException
from mlsteps.launcher.digest import digest_file
from mlsteps.launcher.manifest import FileEntry, Manifest
from mlsteps.reuse.content import content_of
from mlsteps.reuse.entry import EntryOutput
from mlsteps.sensors.refusing import refused
from mlsteps.steps.caches import digest_cache

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.workspace import Workspace


def checked_outputs(sensor: str, given: object) -> tuple[DataReference, ...]:
    """Outputs as they were declared.

    :raises UserErrorException: one is no DataReference, or two have one name.
    """
    outputs = [given] if isinstance(given, DataReference) else given or ()
    if not isinstance(outputs, (list, tuple)):
        raise refused(
            sensor, "outputs", f"it is a {type(outputs).__name__}", "Give a list of DataReferences."
        )
    names: set[str] = set()
    for output in outputs:
        if not isinstance(output, DataReference):
            raise refused(
                sensor,
                "outputs",
                f"{output!r} is no DataReference",
                "For example: outputs=[workspace.get_default_datastore().path('clean/sales.csv')].",
            )
        if output.name in names:
            raise refused(
                sensor,
                "outputs",
                f"two outputs are called {output.name!r}",
                "Give one a data_reference_name.",
            )
        names.add(output.name)
    return tuple(outputs)


@dataclass(frozen=True)
class GuardedOutput:
    """An output in the sensor's workspace.

    :param datastore: The datastore's name there.
    """

    name: str
    datastore: str
    path: str
    store: Store

    def as_it_is(self, workspace: Workspace, producer: Producer) -> EntryOutput:
        """What lies there now, for a reuse entry.

        :raises DataNotFoundException: nothing.
        """
        marks = marks_at(self.store, self.path)  # first: what is written meanwhile then shows
        manifest = self._manifest(workspace)
        reference = PortDataReference.of_manifest(
            self.name, workspace.locator, self.datastore, self.path, manifest, producer
        )
        return EntryOutput(reference.serialize(), manifest, marks)

    def _manifest(self, workspace: Workspace) -> Manifest:
        local = self.store.local_path(self.path)
        if local is not None:
            if not local.exists():
                raise self._missing()
            return content_of(local, digest_cache(workspace), follow_links_anywhere=True).manifest()
        entries = []
        with tempfile.TemporaryDirectory() as folder:
            for info in self.store.list(self.path):
                copy = Path(folder) / "file"
                self.store.get_file(info.path, copy)
                entries.append(FileEntry(info.below(self.path), info.size, digest_file(copy)))
        if not entries:
            raise self._missing()
        return Manifest.of("file" if entries[0].path == "" else "directory", tuple(entries))

    def _missing(self) -> DataNotFoundException:
        return DataNotFoundException(
            f"output {self.name!r} is not there: nothing lies at {self.store.url(self.path)}"
        )


def locate(sensor: str, outputs: Sequence[DataReference], workspace: Workspace) -> list[GuardedOutput]:
    """Where declared outputs lie.

    :raises UserErrorException: an output is of another workspace.
    :raises WorkspaceException: the workspace has no such datastore.
    """
    found = []
    for output in outputs:
        datastore, path = output.datastore.name, output.path_on_datastore
        store = workspace.open_store(datastore)
        theirs = output.datastore.store.url(path)
        if store.url(path) != theirs:
            raise refused(
                sensor,
                "outputs",
                f"{output.name!r} lies at {theirs}, but datastore {datastore!r} of the sensor's workspace "
                f"has its files at {store.url('')}",
                "Give the sensor the workspace of its outputs.",
            )
        found.append(GuardedOutput(output.name, datastore, path, store))
    return found
