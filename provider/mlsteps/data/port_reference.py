"""PortDataReference: the small reference to a step's output that travels through XCom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from mlsteps.data.datastore import Datastore, copy_to_folder
from mlsteps.data.input_binding import BindableData
from mlsteps.data.stores.base import FileInfo
from mlsteps.exceptions import DataNotFoundException, UserErrorException

if TYPE_CHECKING:
    from mlsteps.launcher.manifest import Manifest


@dataclass(frozen=True)
class Producer:
    """The try of a step that made some data."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int

    @property
    def text(self) -> str:
        """For people: ``dag / run / task (try 1)``."""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id} / {self.run_id} / {self.task_id}{mapped} (try {self.try_number})"


@dataclass(frozen=True)
class PortDataReference(BindableData):
    """A step's output, as it is handed on: where it lies and what it is, never the data itself.

    A TaskFlow function that is given ``step.outputs["model"]`` gets one of these:

    >>> @task
    ... def evaluate(model):
    ...     with model.open("model.pkl", "rb") as stream: ...

    Its size in XCom does not depend on the size or number of the files.
    (SDK v1: ``azureml.pipeline.core.graph.PortDataReference``.)

    :param name: The output's name on the step that made it.
    :param workspace: The locator of the workspace whose datastore holds it.
    :param datastore_name: The datastore's name.
    :param path_on_datastore: The file, or the folder, on that datastore.
    :param kind: ``file`` or ``directory``.
    :param number_of_files: How many files it has.
    :param bytes: Their total size.
    :param digest: One digest of all their paths and contents; equal digests are equal data.
    :param manifest: Path on the workspace's record store of the list of files with their digests.
    :param producer: Who made it.
    """

    # Read by Airflow's serializer; a newer version than the reading side knows is refused there.
    __version__: ClassVar[int] = 1

    name: str
    workspace: str
    datastore_name: str
    path_on_datastore: str
    kind: str
    number_of_files: int
    bytes: int
    digest: str
    manifest: str
    producer: Producer

    @classmethod
    def of_manifest(
        cls,
        name: str,
        workspace: str,
        datastore_name: str,
        path: str,
        manifest: Manifest,
        producer: Producer,
        manifest_path: str = "",
    ) -> PortDataReference:
        """The reference to data with this manifest.

        :param manifest_path: Where the manifest is kept; empty where whoever has the reference has that, too.
        """
        return cls(
            name=name,
            workspace=workspace,
            datastore_name=datastore_name,
            path_on_datastore=path,
            kind=manifest.kind,
            number_of_files=manifest.number_of_files,
            bytes=manifest.bytes,
            digest=manifest.digest,
            manifest=manifest_path,
            producer=producer,
        )

    def serialize(self) -> dict[str, Any]:
        """The reference as plain JSON (Airflow's XCom protocol)."""
        return {
            "name": self.name,
            "workspace": self.workspace,
            "datastore": self.datastore_name,
            "path": self.path_on_datastore,
            "kind": self.kind,
            "files": self.number_of_files,
            "bytes": self.bytes,
            "digest": self.digest,
            "manifest": self.manifest,
            "producer": [
                self.producer.dag_id,
                self.producer.run_id,
                self.producer.task_id,
                self.producer.map_index,
                self.producer.try_number,
            ],
        }

    @staticmethod
    def deserialize(data: Mapping[str, Any], version: int = 1) -> PortDataReference:
        """A reference from what :meth:`serialize` gave (Airflow's XCom protocol)."""
        if version > PortDataReference.__version__:
            raise TypeError(
                f"This PortDataReference has format {version}, this mlsteps reads up to "
                f"{PortDataReference.__version__}: upgrade mlsteps where the reference is read."
            )
        return PortDataReference(
            name=data["name"],
            workspace=data["workspace"],
            datastore_name=data["datastore"],
            path_on_datastore=data["path"],
            kind=data["kind"],
            number_of_files=data["files"],
            bytes=data["bytes"],
            digest=data["digest"],
            manifest=data["manifest"],
            producer=Producer(*data["producer"]),
        )

    def __str__(self) -> str:
        return self.url

    # The data

    @property
    def datastore(self) -> Datastore:
        """The datastore that holds the data."""
        from mlsteps.data.owner import open_workspace

        return Datastore(open_workspace(self.workspace), self.datastore_name)

    @property
    def url(self) -> str:
        """Where the data lies, for people: an absolute path or a URL without credentials."""
        return self.datastore.store.url(self.path_on_datastore)

    @property
    def path(self) -> str:
        """The absolute path where the datastore is a folder here.

        :raises DataNotFoundException: the datastore is not a folder; use :meth:`open` or :meth:`download`.
        """
        local = self.datastore.store.local_path(self.path_on_datastore)
        if local is None:
            raise DataNotFoundException(
                f"Output {self.name!r} lies at {self.url}, not in a folder of this machine: "
                f"use open() or download() instead of path."
            )
        return str(local)

    def files(self) -> list[str]:
        """Paths of its files, relative to it, sorted; for a single file its own name."""
        return [self._relative(info) for info in self._listing()]

    def open(self, file: str | None = None, mode: str = "r", encoding: str = "utf-8") -> IO[Any]:
        """One of its files, for reading.

        :param file: Relative path, as :meth:`files` lists it. May be left out where there is just one.
        :param mode: ``r`` (text, the default) or ``rb``.
        """
        import io

        if mode not in ("r", "rt", "rb"):
            raise UserErrorException(f"Output {self.name!r} is read only: open mode {mode!r} is not r or rb.")
        names = {self._relative(info): info for info in self._listing()}
        if file is None and len(names) == 1:
            file = next(iter(names))
        if file is None or file not in names:
            known = ", ".join(sorted(names)[:20]) or "nothing"
            raise DataNotFoundException(
                f"Output {self.name!r} at {self.url}: no file {file!r}; there is {known}."
            )
        stream = self.datastore.store.open(names[file].path)
        return stream if mode == "rb" else io.TextIOWrapper(stream, encoding=encoding)

    def download(
        self, local_path: str, overwrite: bool | None = None, show_progress: bool | None = None
    ) -> int:
        """Copy the data below ``local_path``, recreating its path on the datastore there (SDK v1 rule).

        :returns: The number of files copied.
        """
        return copy_to_folder(
            self.datastore.store,
            self._listing(),
            Path(local_path),
            overwrite=bool(overwrite),
            show_progress=bool(show_progress),
            label=self.datastore_name,
        )

    def _listing(self) -> list[FileInfo]:
        files = list(self.datastore.store.list(self.path_on_datastore))
        if not files and self.number_of_files:
            raise DataNotFoundException(
                f"Output {self.name!r} of {self.producer.text} is gone: nothing at {self.url}. "
                f"Run that step again."
            )
        return files

    def _relative(self, info: FileInfo) -> str:
        return info.below(self.path_on_datastore) or info.path.rsplit("/", 1)[-1]

    # Use as an input of another pipeline's step

    @property
    def data_reference_name(self) -> str:
        """The name (SDK v1)."""
        return self.name

    @property
    def pipeline_run_id(self) -> str:
        """The DAG run that made it (SDK v1)."""
        return self.producer.run_id
