"""Data that exists already: DataReference and DataPath, a path on a datastore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.data.names import check_port_name
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datastore import Datastore

_MODES = ("mount", "download", "upload")


class DataReference:
    """A file or folder on a datastore that a step reads.

    :param datastore: Where it lies.
    :param data_reference_name: The port's name: letters, digits, underscores. Default: the datastore's name,
        followed by the path with other characters as underscores. (SDK v1 used a random name for a path.)
    :param path_on_datastore: Relative to the datastore's root; None is the root.
    :param mode: ``mount`` (default) or ``download``; ``upload`` is accepted for output references.
    :param path_on_compute: Where the data stands for the script; default: chosen by the compute target.
    :param overwrite: For ``download``: replace what stands there.

    (SDK v1: ``azureml.data.data_reference.DataReference``.)
    """

    def __init__(
        self,
        datastore: Datastore,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        if mode not in _MODES:
            raise UserErrorException(f"DataReference mode {mode!r} is not one of {', '.join(_MODES)}.")
        self.datastore = datastore
        self.path_on_datastore = clean_path(path_on_datastore or "", "path_on_datastore")
        self.data_reference_name = check_port_name(
            data_reference_name or _default_name(datastore, self.path_on_datastore), "DataReference"
        )
        self.mode = mode
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    def __repr__(self) -> str:
        return f"DataReference({self.data_reference_name!r}, {self.path_on_datastore!r}, {self.mode!r})"

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self.data_reference_name}"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    @staticmethod
    def create(
        data_reference_name: str | None = None,
        datapath: DataPath | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A reference to ``datapath``, in the mode of ``datapath_compute_binding``."""
        if datapath is None:
            raise UserErrorException("DataReference.create needs a datapath.")
        return datapath.create_data_reference(data_reference_name, datapath_compute_binding)

    @property
    def name(self) -> str:
        """The port's name."""
        return self.data_reference_name

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """A reference to ``path`` below this one, mounted (SDK v1 drops mode and path_on_compute too)."""
        below = "/".join(part for part in (self.path_on_datastore, path) if part)
        return DataReference(self.datastore, data_reference_name, below)

    def as_mount(self) -> DataReference:
        """The same data, mounted."""
        return self._with_mode("mount", None, False)

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """The same data as a private copy on the compute target."""
        return self._with_mode("download", path_on_compute, overwrite)

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """The same place, as one that is uploaded to; not usable as a step's input."""
        return self._with_mode("upload", path_on_compute, overwrite)

    def _with_mode(self, mode: str, path_on_compute: str | None, overwrite: bool) -> DataReference:
        return DataReference(
            self.datastore, self.data_reference_name, self.path_on_datastore, mode, path_on_compute, overwrite
        )


class DataPath:
    """A path on a datastore, as the value of a :class:`~mlsteps.PipelineParameter`.

    (SDK v1: ``azureml.data.datapath.DataPath``.)
    """

    def __init__(
        self,
        datastore: Datastore | None = None,
        path_on_datastore: str | None = None,
        name: str | None = None,
    ) -> None:
        self.datastore = datastore
        self.text = path_on_datastore or ""  # as it was written: on a SQL datastore it is a query
        self.path_on_datastore = clean_path(self.text, "path_on_datastore")
        self.name = name

    @property
    def datastore_name(self) -> str:
        """The datastore's name; empty is the workspace's default."""
        return (self.datastore.declared_name or "") if self.datastore is not None else ""

    def __repr__(self) -> str:
        return f"DataPath({self.datastore_name!r}, {self.path_on_datastore!r})"

    def __str__(self) -> str:
        return f"{self.datastore_name}/{self.path_on_datastore}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def create_data_reference(
        self,
        data_reference_name: str | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A DataReference to this path."""
        if self.datastore is None:
            raise UserErrorException(f"DataPath {self.path_on_datastore!r} has no datastore to refer to.")
        binding = datapath_compute_binding or DataPathComputeBinding()
        return DataReference(
            self.datastore,
            data_reference_name or self.name,
            self.path_on_datastore,
            binding.mode,
            binding.path_on_compute,
            binding.overwrite,
        )

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPath:
        """The path that a reference points at."""
        return DataPath(
            data_reference.datastore, data_reference.path_on_datastore, data_reference.data_reference_name
        )


class DataPathComputeBinding:
    """How a DataPath parameter reaches the script: the second half of ``(PipelineParameter, binding)``.

    (SDK v1: ``azureml.data.datapath.DataPathComputeBinding``.)
    """

    def __init__(
        self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False
    ) -> None:
        if mode not in ("mount", "download"):
            raise UserErrorException(f"DataPathComputeBinding mode {mode!r} is not mount or download.")
        self.mode = mode
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataPathComputeBinding) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.mode, self.path_on_compute, self.overwrite))

    def __repr__(self) -> str:
        return f"DataPathComputeBinding({self.mode!r})"

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath: DataPath | None = None
    ) -> DataReference:
        """A DataReference to ``datapath`` in this mode."""
        return DataReference.create(data_reference_name, datapath, self)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPathComputeBinding:
        """How a reference reaches the script."""
        return DataPathComputeBinding(
            data_reference.mode, data_reference.path_on_compute, data_reference.overwrite
        )


def _default_name(datastore: Datastore, path: str) -> str:
    label = "_".join(part for part in (datastore.declared_name or "default", path) if part)
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in label)
