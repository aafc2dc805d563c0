"""Folders that steps fill."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mlsteps import Datastore, OutputFileDatasetConfig
from mlsteps.data import DatasetConsumptionConfig
from mlsteps.exceptions import UserErrorException


def test_its_name_comes_from_the_destination_each_time(datastore: Datastore) -> None:
    assert OutputFileDatasetConfig().name == "output"
    assert OutputFileDatasetConfig(destination=(datastore, "a/my-data")).name == "my_data"
    assert OutputFileDatasetConfig(destination=(datastore, "a/2026")).name == "_2026"
    assert OutputFileDatasetConfig(destination=(datastore, "a/{run-id}")).name == "output"
    assert OutputFileDatasetConfig("n", (datastore, "a")).name == "n"


def test_its_destination(datastore: Datastore) -> None:
    assert OutputFileDatasetConfig("n").destination == (None, "dataset/{run-id}/{output-name}")
    assert OutputFileDatasetConfig("n", (datastore, "/a\\b/{run-id}")).destination == (
        datastore,
        "a/b/{run-id}",
    )


@pytest.mark.parametrize(
    ("name", "destination", "text"),
    [
        ("1a", None, "'1a' is not valid"),
        ("n", "folder", "'n': destination must be a tuple"),
        ("n", ("store", "a", "b"), "destination must be a tuple"),
        ("n", ["store", "a"], "destination must be a tuple"),
        ("n", ("store", None), "destination must be a text, got None"),
        ("n", ("store", "a/../../b"), "leaves the datastore"),
        ("n", ("store", "a/{run_id}"), r"holds \{run_id\}; there are only \{run-id\} and \{output-name\}"),
    ],
)
def test_what_is_wrong_is_named(name: str, destination: Any, text: str) -> None:
    with pytest.raises(UserErrorException, match=text):
        OutputFileDatasetConfig(name, destination)


def test_variants_are_the_same_output() -> None:
    config = OutputFileDatasetConfig("n", source="out")
    upload = config.as_upload(overwrite=True, source_globs=["*.csv"])
    mount = upload.as_mount()
    assert upload.origin is mount.origin is config.origin is config
    assert upload.makers is config.makers and mount.readers is config.readers
    assert (upload.mode, upload.overwrite, upload.source_globs) == ("upload", True, ["*.csv"])
    assert (mount.mode, mount.overwrite, mount.source_globs) == ("mount", False, None)
    assert (config.mode, config.overwrite, config.source_globs) == ("mount", False, None)
    assert (upload.name, upload.source, upload.destination) == (config.name, "out", config.destination)
    assert copy.deepcopy([upload])[0] is upload


def test_as_an_input_it_is_the_same_data() -> None:
    config = OutputFileDatasetConfig("n")
    read = config.as_upload().as_input()
    assert (read.name, read.mode, read.dataset.origin) == ("input_n", "mount", config)
    named = config.as_input("x").as_download("/data")
    assert (named.name, named.mode, named.path_on_compute, named.dataset) == (
        "x",
        "download",
        "/data",
        config,
    )
    assert (named.as_mount().mode, named.as_mount("/m").path_on_compute) == ("mount", "/m")
    assert copy.deepcopy(read).dataset is read.dataset


def test_texts_that_stand_for_them() -> None:
    config = OutputFileDatasetConfig("n")
    assert str(config) == config.serialize() == config.arg_val == "DatasetOutputConfig:n"
    read = config.as_input("x")
    assert str(read) == read.serialize() == read.arg_val == "DatasetConsumptionConfig:x"


def test_a_wrong_consumption_is_named() -> None:
    config = OutputFileDatasetConfig("n")
    with pytest.raises(UserErrorException, match="'x': 'n' is not a dataset"):
        DatasetConsumptionConfig("x", "n")  # type: ignore[arg-type]
    with pytest.raises(UserErrorException, match="'x': mode 'upload' is not one of direct, mount, download"):
        DatasetConsumptionConfig("x", config, "upload")
    with pytest.raises(UserErrorException, match="'1x' is not valid"):
        DatasetConsumptionConfig("1x", config)
