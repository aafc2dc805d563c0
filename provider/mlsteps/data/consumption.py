"""DatasetConsumptionConfig: a dataset as a step's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from mlsteps.data.names import check_dataset_port_name, is_text
from mlsteps.data.output_config import OutputFileDatasetConfig
from mlsteps.data.parameter import PipelineParameter
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.abstract import AbstractDataset
    from mlsteps.data.datasets.sources import DatasetWorkspace

    # The last two: what the workspace has under a name, newest or of one version, when the step runs.
    Consumable: TypeAlias = (
        AbstractDataset
        | OutputFileDatasetConfig
        | PipelineOutputDataset
        | PipelineParameter
        | tuple[DatasetWorkspace, str]
        | tuple[DatasetWorkspace, str, int | str]
    )

_MODES = ("direct", "mount", "download")


class DatasetConsumptionConfig:
    """A dataset as a step's input: how it is called and how it reaches the script.

    :param name: The port's name, and the environment variable that holds the path: letters, digits,
        underscores.
    :param dataset: A FileDataset or TabularDataset, a :class:`~mlsteps.PipelineParameter` with one as its
        default, an :class:`~mlsteps.OutputFileDatasetConfig` or ``PipelineData.as_dataset()`` of an earlier
        step, or ``(workspace, name)`` or
        ``(workspace, name, version)`` for what is registered when the step runs.
    :param mode: ``direct``: the script gets the dataset itself; ``mount`` or ``download``: the path of its
        files, not of rows.
    :param path_on_compute: Where the data stands for the script; default: chosen by the compute target.

    (SDK v1: ``azureml.data.dataset_consumption_config.DatasetConsumptionConfig``.)
    """

    def __init__(
        self, name: str, dataset: Consumable, mode: str = "direct", path_on_compute: str | None = None
    ) -> None:
        self.name = check_dataset_port_name(name, "DatasetConsumptionConfig")
        self.dataset = _checked(name, dataset)
        if mode == "hdfs":
            self.as_hdfs()
        if mode not in _MODES:
            raise UserErrorException(
                f"DatasetConsumptionConfig {name!r}: mode {mode!r} is not one of {', '.join(_MODES)}."
            )
        declared = dataset.default_value if isinstance(dataset, PipelineParameter) else dataset
        if mode != "direct" and _is_tabular(declared):
            raise UserErrorException(
                f"DatasetConsumptionConfig {name!r}: a TabularDataset is rows, which have no path to {mode}. "
                f"Leave the mode direct, or use to_csv_files() or to_parquet_files()."
            )
        self.mode = mode
        self.path_on_compute = path_on_compute

    @property
    def arg_val(self) -> str:
        """The text that stands for this input inside a longer argument."""
        return f"DatasetConsumptionConfig:{self.name}"

    def __repr__(self) -> str:
        return f"DatasetConsumptionConfig({self.name!r}, {self.dataset!r}, {self.mode!r})"

    def __str__(self) -> str:
        return self.arg_val

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same input, mounted."""
        return DatasetConsumptionConfig(self.name, self.dataset, "mount", path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same input as a private copy on the compute target."""
        return DatasetConsumptionConfig(self.name, self.dataset, "download", path_on_compute)

    def as_direct(self) -> DatasetConsumptionConfig:
        """The same input as the dataset itself."""
        return DatasetConsumptionConfig(self.name, self.dataset)

    def as_hdfs(self) -> NoReturn:
        """SDK v1's mode for Synapse Spark, which there is not."""
        raise UserErrorException(
            f"DatasetConsumptionConfig {self.name!r}: there is no HDFS here; use as_mount() or as_download()."
        )

    def find_dataset(self) -> AbstractDataset:
        """The dataset itself: one that is named is looked up now, a parameter's is its default.

        :raises UserErrorException: no such dataset is registered, or the input is an earlier step's output.
        """
        from mlsteps.data.datasets.abstract import AbstractDataset

        dataset: Any = self.dataset
        if isinstance(dataset, tuple):
            return AbstractDataset.get_by_name(*dataset)  # type: ignore[no-any-return]
        if isinstance(dataset, PipelineParameter):
            dataset = dataset.default_value
        if isinstance(dataset, AbstractDataset):
            return dataset
        raise UserErrorException(
            f"DatasetConsumptionConfig {self.name!r}: {dataset!r} is known when its step has run."
        )


def _checked(name: str, dataset: Any) -> Any:
    if isinstance(dataset, (OutputFileDatasetConfig, PipelineOutputDataset)):
        return dataset
    if is_dataset(dataset.default_value if isinstance(dataset, PipelineParameter) else dataset):
        return dataset
    named = isinstance(dataset, tuple) and len(dataset) in (2, 3) and hasattr(dataset[0], "record_store")
    if named and is_text(dataset[1]):
        return dataset
    raise UserErrorException(
        f"DatasetConsumptionConfig {name!r}: {dataset!r} is not a dataset that a step can read. Give a "
        f"FileDataset, a TabularDataset, a PipelineParameter with one as its default, or (workspace, name)."
    )


def is_dataset(value: object) -> bool:
    """Whether this is a FileDataset or a TabularDataset; whoever has one has imported their package."""
    return hasattr(value, "definition") and hasattr(type(value), "as_named_input")


def _is_tabular(dataset: Any) -> bool:
    if isinstance(dataset, (OutputFileDatasetConfig, PipelineOutputDataset)):
        return dataset.reader is not None
    return is_dataset(dataset) and bool(dataset.definition.is_tabular)
