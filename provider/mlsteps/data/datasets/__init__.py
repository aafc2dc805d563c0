"""Datasets: lazy definitions of files or rows, with a registry; SDK v1's ``azureml.core.Dataset``.

A step needs of one: ``dataset.definition.to_json()`` (back with :func:`dataset_of`), :func:`files_of` and
:func:`is_single_file`, and name and mode of its :class:`DatasetConsumptionConfig`.
"""

from mlsteps.data.consumption import DatasetConsumptionConfig
from mlsteps.data.datasets.abstract import AbstractDataset
from mlsteps.data.datasets.column_types import DataType
from mlsteps.data.datasets.dataset import Dataset
from mlsteps.data.datasets.definition import Definition
from mlsteps.data.datasets.file_dataset import FileDataset
from mlsteps.data.datasets.file_factory import FileDatasetFactory
from mlsteps.data.datasets.files import files_of, is_single_file
from mlsteps.data.datasets.headers import PromoteHeadersBehavior
from mlsteps.data.datasets.registry import dataset_of, keep
from mlsteps.data.datasets.tabular_dataset import TabularDataset
from mlsteps.data.datasets.tabular_factory import TabularDatasetFactory

__all__ = [
    "AbstractDataset",
    "DataType",
    "Dataset",
    "DatasetConsumptionConfig",
    "Definition",
    "FileDataset",
    "FileDatasetFactory",
    "PromoteHeadersBehavior",
    "TabularDataset",
    "TabularDatasetFactory",
    "dataset_of",
    "files_of",
    "is_single_file",
    "keep",
]
