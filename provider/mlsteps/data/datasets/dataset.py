"""``Dataset``: the entrance to datasets."""

from __future__ import annotations

from mlsteps.data.datasets.abstract import AbstractDataset
from mlsteps.data.datasets.file_factory import FileDatasetFactory
from mlsteps.data.datasets.tabular_factory import TabularDatasetFactory


class Dataset(AbstractDataset):
    """Makes datasets with ``Dataset.File`` and ``Dataset.Tabular``, and finds registered ones.

    (SDK v1: ``azureml.core.Dataset``.)
    """

    File = FileDatasetFactory
    Tabular = TabularDatasetFactory
