"""OutputFileDatasetConfig: a folder that a step fills, and its use as an input."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.data.names import check_dataset_port_name, is_text
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.consumption import DatasetConsumptionConfig
    from mlsteps.data.datastore import Datastore

DEFAULT_DESTINATION = "dataset/{run-id}/{output-name}"


@dataclass(frozen=True)
class Registration:
    """Under which name an output becomes a registered dataset."""

    name: str
    description: str | None
    tags: dict[str, str]


class OutputFileDatasetConfig:
    """A folder of files that a step makes. The folder exists when the script starts.

    :param name: The output's name: letters, digits, underscores, not starting with a digit. Default: the
        destination's last part, else ``output``. (SDK v1 used a random name, which defeated reuse.)
    :param destination: ``(datastore, path)``; the path may hold ``{run-id}`` and ``{output-name}``. Default:
        the pipeline's default datastore and ``dataset/{run-id}/{output-name}``.
    :param source: A folder on the compute target that is collected, relative to the working directory.
        Default: a folder made for this output.
    :param partition_format: Accepted for SDK v1; how tabular reads parse paths.

    Arguments may hold the object itself: the script then gets the folder's path, which is also in the
    environment variable called like the output. (SDK v1: ``azureml.data.OutputFileDatasetConfig``.)
    """

    def __init__(
        self,
        name: str | None = None,
        destination: tuple[Datastore, str] | None = None,
        source: str | None = None,
        partition_format: str | None = None,
    ) -> None:
        given: object = destination
        if given is not None and not (isinstance(given, tuple) and len(given) == 2):
            raise UserErrorException(
                f"OutputFileDatasetConfig {name!r}: destination must be a tuple (datastore, path), "
                f"got {destination!r}."
            )
        path = clean_path(destination[1], "destination") if destination else DEFAULT_DESTINATION
        for placeholder in re.findall(r"\{[^{}]*\}", path):
            if placeholder not in ("{run-id}", "{output-name}"):
                raise UserErrorException(
                    f"OutputFileDatasetConfig {name!r}: destination {path!r} holds {placeholder}; "
                    f"there are only {{run-id}} and {{output-name}}."
                )
        self.name = check_dataset_port_name(name or _default_name(path), "OutputFileDatasetConfig")
        self.datastore = destination[0] if destination else None
        self.path = path
        self.source = source
        self.partition_format = partition_format
        self.mode = "mount"
        self.overwrite = False
        self.source_globs: list[str] | None = None
        # How steps behind read it as rows: the reader of a dataset's definition; None leaves it files.
        self.reader: Any = None
        self.registration: Registration | None = None
        # Copies made by as_mount and as_upload are the same output: they share this object.
        self.origin: OutputFileDatasetConfig = self
        # The steps that make and read it, so that order comes from the data; the origin's count.
        self.makers: list[Any] = []
        self.readers: list[Any] = []

    def __deepcopy__(self, memo: object) -> OutputFileDatasetConfig:
        # Which data it is lies in the object itself: a copied DAG still talks of the same data.
        return self

    @property
    def destination(self) -> tuple[Datastore | None, str]:
        """``(datastore, path)`` as declared; None is the default datastore."""
        return self.datastore, self.path

    @property
    def arg_val(self) -> str:
        """The text that stands for this output inside a longer argument."""
        return f"DatasetOutputConfig:{self.name}"

    def __repr__(self) -> str:
        return f"OutputFileDatasetConfig({self.name!r}, {self.path!r})"

    def __str__(self) -> str:
        return self.arg_val

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    def as_mount(self, disable_metadata_cache: bool = False) -> OutputFileDatasetConfig:
        """The script writes to the destination itself (the default)."""
        return self._with(mode="mount", overwrite=False, source_globs=None)

    def as_upload(
        self, overwrite: bool = False, source_globs: list[str] | None = None
    ) -> OutputFileDatasetConfig:
        """The files are uploaded when the script has succeeded.

        :param overwrite: Replace files at the destination; otherwise a file that stands there is an error.
        :param source_globs: Upload only files that match one of these patterns.
        """
        return self._with(mode="upload", overwrite=overwrite, source_globs=source_globs)

    def as_input(self, name: str | None = None) -> DatasetConsumptionConfig:
        """This output as an input of a later step, called ``name`` (default: ``input_<output name>``).

        The step gets the path of the folder; of one that is read as rows, a dataset.
        """
        from mlsteps.data.consumption import DatasetConsumptionConfig

        mode = "mount" if self.reader is None else "direct"
        return DatasetConsumptionConfig(name or f"input_{self.name}", self, mode)

    def read_delimited_files(self, **options: Any) -> OutputFileDatasetConfig:
        """The same output, read as rows of delimited files by the steps behind.

        :param options: As for ``Dataset.Tabular.from_delimited_files``, without the path.
        """
        from mlsteps.data.datasets.reading import reader_of

        return self._with(reader=reader_of("from_delimited_files", options))

    def read_parquet_files(self, **options: Any) -> OutputFileDatasetConfig:
        """The same output, read as rows of Parquet files by the steps behind.

        :param options: As for ``Dataset.Tabular.from_parquet_files``, without the path.
        """
        from mlsteps.data.datasets.reading import reader_of

        return self._with(reader=reader_of("from_parquet_files", options))

    def register_on_complete(
        self, name: str, description: str | None = None, tags: dict[str, str] | None = None
    ) -> OutputFileDatasetConfig:
        """The same output, registered as a new version of a dataset whenever the step has made it.

        A step whose earlier result is reused registers nothing: what it made is registered already.
        """
        if not is_text(name):
            raise UserErrorException(f"register_on_complete: a dataset's name is a text, got {name!r}.")
        return self._with(registration=Registration(name, description, dict(tags or {})))

    def _with(self, **changes: object) -> OutputFileDatasetConfig:
        twin = copy.copy(self)
        for attribute, value in changes.items():
            setattr(twin, attribute, value)
        return twin


def _default_name(path: str) -> str:
    last = path.rsplit("/", 1)[-1]
    if "{" in last or not last:
        return "output"
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in last)
    return f"_{name}" if name[0].isdigit() else name
