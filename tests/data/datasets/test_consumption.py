"""DatasetConsumptionConfig: a dataset as a step's input."""

from __future__ import annotations

from typing import Any

import pytest

from mlsteps import (
    Dataset,
    DatasetConsumptionConfig,
    Datastore,
    OutputFileDatasetConfig,
    PipelineParameter,
    Workspace,
)
from mlsteps.exceptions import UserErrorException


@pytest.fixture
def files(datastore: Datastore) -> Any:
    return Dataset.File.from_files((datastore, "a"))


def test_a_named_input_is_direct_unless_it_is_mounted_or_downloaded(files: Any) -> None:
    named = files.as_named_input("images")
    assert (named.name, named.dataset, named.mode, named.path_on_compute) == ("images", files, "direct", None)
    assert str(named) == named.arg_val == named.serialize() == "DatasetConsumptionConfig:images"
    mounted = named.as_mount("/mnt/x")
    assert (mounted.name, mounted.mode, mounted.path_on_compute) == ("images", "mount", "/mnt/x")
    assert named.as_download().mode == "download"
    assert mounted.as_direct().mode == "direct"


def test_an_input_without_a_name_is_called_by_the_datasets_id(files: Any) -> None:
    assert files.as_mount().name == files.as_download().name == f"input__{files.id[:8]}"
    assert files.as_download("/x").path_on_compute == "/x"


def test_rows_are_direct_only(datastore: Datastore) -> None:
    rows = Dataset.Tabular.from_parquet_files((datastore, "p"))
    assert rows.as_named_input("rows").find_dataset() is rows
    with pytest.raises(UserErrorException, match=r"rows, which have no path to mount.*to_csv_files\(\)"):
        rows.as_named_input("rows").as_mount()


def test_a_name_is_looked_up_when_the_dataset_is_wanted(workspace: Workspace, files: Any) -> None:
    latest = DatasetConsumptionConfig("x", (workspace, "images"), "mount")
    pinned = DatasetConsumptionConfig("x", (workspace, "images", 1))
    files.register(workspace, "images")
    files.take(3).register(workspace, "images", create_new_version=True)
    assert (latest.find_dataset().version, pinned.find_dataset().version) == (2, 1)


def test_a_parameters_default_may_be_a_dataset(files: Any) -> None:
    parameter = PipelineParameter("which", "x")
    parameter.default_value = files
    assert DatasetConsumptionConfig("x", parameter).as_mount().find_dataset() is files


def test_an_earlier_steps_output_is_known_later() -> None:
    config = DatasetConsumptionConfig("x", OutputFileDatasetConfig("made"), "mount")
    with pytest.raises(UserErrorException, match="when its step has run"):
        config.find_dataset()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("1x", None), "name '1x' is not valid"),
        (("x", None, "upload"), "mode 'upload' is not one of direct, mount, download"),
        (("x", None, "hdfs"), "no HDFS here"),
        (("x", "images"), "'images' is not a dataset"),
        (("x", ("ws", "images")), "is not a dataset"),
        (("x", PipelineParameter("p", "text")), "is not a dataset"),
    ],
)
def test_wrong_inputs_are_named(files: Any, arguments: tuple[Any, ...], told: str) -> None:
    name, dataset, *mode = arguments
    with pytest.raises(UserErrorException, match=told):
        DatasetConsumptionConfig(name, files if dataset is None else dataset, *mode)
