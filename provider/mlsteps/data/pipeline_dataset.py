"""PipelineData as a dataset: ``PipelineData.as_dataset()`` of SDK v1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlsteps.data.names import is_text
from mlsteps.data.output_config import Registration
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.consumption import DatasetConsumptionConfig
    from mlsteps.data.pipeline_data import PipelineData


@dataclass(frozen=True)
class PipelineOutputDataset:
    """What a step makes, read as files or rows by steps behind, and perhaps registered when it is made.

    Each method gives another one. It stands in the outputs of the step that makes it, in the inputs of those
    that read it, or in both. (SDK v1: ``PipelineOutputFileDataset`` and ``PipelineOutputTabularDataset``.)

    :param data: The data itself.
    :param reader: How it is read as rows; None leaves it files.
    :param registration: Under which name it is registered.
    :param input_name, mode: How it is called as an input, and reaches the script.
    """

    data: PipelineData
    reader: Any = None
    registration: Registration | None = None
    input_name: str | None = None
    mode: str | None = None

    def __deepcopy__(self, memo: object) -> PipelineOutputDataset:
        return self

    def __str__(self) -> str:
        return self.as_input().arg_val

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    @property
    def name(self) -> str:
        """The data's name."""
        return self.data.name

    @property
    def origin(self) -> PipelineData:
        """The data itself, which tells which step makes it."""
        return self.data

    def as_named_input(self, name: str) -> PipelineOutputDataset:
        """The same, called ``name`` as an input."""
        return replace(self, input_name=name)

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same as an input: the path of its files."""
        return replace(self, mode="mount").as_input(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same as an input: the path of the script's own copy."""
        return replace(self, mode="download").as_input(path_on_compute)

    def as_direct(self) -> DatasetConsumptionConfig:
        """The same as an input: the dataset itself."""
        return replace(self, mode="direct").as_input()

    def as_input(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same as an input; without a mode, files are mounted, and rows are direct."""
        from mlsteps.data.consumption import DatasetConsumptionConfig

        mode = self.mode or ("mount" if self.reader is None else "direct")
        return DatasetConsumptionConfig(self.input_name or self.data.name, self, mode, path_on_compute)

    def register(
        self,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        create_new_version: bool = True,
    ) -> PipelineOutputDataset:
        """The same, registered as a dataset when it is made; among the outputs of the step that makes it."""
        if not is_text(name):
            raise UserErrorException(f"register: a dataset's name is a text, got {name!r}.")
        return replace(self, registration=Registration(name, description, dict(tags or {})))

    def parse_delimited_files(self, **options: Any) -> PipelineOutputDataset:
        """The same, read as rows of delimited files; options as of ``Dataset.Tabular.from_delimited_files``.

        SDK v1's ``file_extension`` and ``quoted_line_breaks`` change nothing.
        """
        known = {k: v for k, v in options.items() if k not in ("file_extension", "quoted_line_breaks")}
        return self._read("from_delimited_files", known)

    def parse_parquet_files(self, **options: Any) -> PipelineOutputDataset:
        """The same, read as rows of Parquet files; options as of ``Dataset.Tabular.from_parquet_files``.

        SDK v1's ``file_extension`` changes nothing.
        """
        known = {k: v for k, v in options.items() if k != "file_extension"}
        return self._read("from_parquet_files", known)

    def _read(self, method: str, options: dict[str, Any]) -> PipelineOutputDataset:
        from mlsteps.data.datasets.reading import reader_of

        return replace(self, reader=reader_of(method, options))
