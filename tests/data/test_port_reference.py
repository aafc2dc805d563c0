"""The reference that travels through XCom: its way there and back, its size, and what it opens."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlsteps import PortDataReference, Workspace
from mlsteps.compat import allow_references
from mlsteps.data import Producer
from mlsteps.exceptions import DataNotFoundException, UserErrorException, WorkspaceException

try:
    serde: Any = importlib.import_module("airflow.sdk.serde")
except ImportError:  # Airflow 3.1
    serde = importlib.import_module("airflow.serialization.serde")


@pytest.fixture
def reference(workspace: Workspace) -> PortDataReference:
    store = workspace.record_store()
    store.write("azureml/r1/model/weights.bin", b"\0\1")
    store.write("azureml/r1/model/sub/notes.txt", "größer\n".encode())
    return PortDataReference(
        name="model",
        workspace=workspace.locator,
        datastore_name="workspaceblobstore",
        path_on_datastore="azureml/r1/model",
        kind="directory",
        number_of_files=2,
        bytes=11,
        digest="sha256t:" + "a" * 64,
        manifest="mlsteps/runs/train/r1/steps/fit/try-1/manifests/model.json",
        producer=Producer("train", "r1", "fit", -1, 1),
    )


def single(workspace: Workspace, reference: PortDataReference) -> PortDataReference:
    workspace.record_store().write("azureml/r1/score", b"0.5")
    return replace(
        reference, name="score", path_on_datastore="azureml/r1/score", kind="file", number_of_files=1, bytes=3
    )


# XCom


def test_airflow_gives_back_what_it_was_given(reference: PortDataReference) -> None:
    allow_references()
    text = json.dumps(serde.serialize({"model": reference, "all": [reference]}))
    assert serde.deserialize(json.loads(text)) == {"model": reference, "all": [reference]}


def test_a_newer_format_is_refused_with_the_remedy(reference: PortDataReference) -> None:
    allow_references()
    newer = json.loads(json.dumps(serde.serialize(reference)))
    newer["__version__"] = 2
    with pytest.raises(TypeError, match="has format 2, this mlsteps reads up to 1: upgrade mlsteps"):
        serde.deserialize(newer)


@pytest.mark.parametrize("files", [1, 10**9])
def test_it_is_small_whatever_the_data(reference: PortDataReference, files: int) -> None:
    run = "manual__2026-01-31T12:34:56.789012+00:00"
    folder = "train-house-prices/manual__2026-01-31T12-34-56.789012-00-00~0123456789ab"
    typical = replace(
        reference,
        workspace="folder:/opt/airflow/mlsteps/production",
        path_on_datastore=f"azureml/train-house-prices.{run}.prepare-data.1~0123456789ab/prepared_data",
        number_of_files=files,
        bytes=files * 10**6,
        manifest=f"mlsteps/runs/{folder}/steps/prepare-data/try-1/manifests/prepared_data.json",
        producer=Producer("train-house-prices", run, "prepare-data", -1, 1),
    )
    assert len(json.dumps(serde.serialize(typical))) < 1024


def test_serialized_it_is_plain_json_without_the_data(reference: PortDataReference) -> None:
    data = reference.serialize()
    assert json.loads(json.dumps(data)) == data
    assert PortDataReference.deserialize(data) == reference
    assert "weights" not in json.dumps(data)


# Reading


def test_files_and_their_content(reference: PortDataReference) -> None:
    assert reference.files() == ["sub/notes.txt", "weights.bin"]
    with reference.open("sub/notes.txt") as text:
        assert text.read() == "größer\n"
    with reference.open("weights.bin", "rb") as stream:
        assert stream.read() == b"\0\1"
    with reference.open("sub/notes.txt", encoding="latin-1") as text:
        assert text.read() != "größer\n"


def test_a_single_file_needs_no_name(workspace: Workspace, reference: PortDataReference) -> None:
    score = single(workspace, reference)
    assert score.files() == ["score"]
    for file in (None, "score"):
        with score.open(file) as text:
            assert text.read() == "0.5"
    assert Path(score.path).read_text() == "0.5"


@pytest.mark.parametrize("file", [None, "none", "sub", "../score", "weights"])
def test_a_wrong_file_is_told_which_there_are(reference: PortDataReference, file: str | None) -> None:
    with pytest.raises(DataNotFoundException) as error:
        reference.open(file)
    assert f"no file {file!r}; there is sub/notes.txt, weights.bin" in str(error.value)


@pytest.mark.parametrize("mode", ["w", "a", "r+", "wb", "x"])
def test_it_is_read_only(reference: PortDataReference, mode: str) -> None:
    with pytest.raises(UserErrorException, match="is read only"):
        reference.open("weights.bin", mode)


def test_where_it_lies(workspace: Workspace, reference: PortDataReference) -> None:
    folder = workspace.config.folder / "workspaceblobstore/azureml/r1/model"
    assert reference.path == reference.url == str(reference) == str(folder)
    assert (reference.datastore.name, reference.datastore.workspace) == ("workspaceblobstore", workspace)


def test_download_recreates_the_path_on_the_datastore(reference: PortDataReference, tmp_path: Path) -> None:
    assert reference.download(str(tmp_path / "t")) == 2
    assert (tmp_path / "t/azureml/r1/model/weights.bin").read_bytes() == b"\0\1"
    assert reference.download(str(tmp_path / "t")) == 0
    assert reference.download(str(tmp_path / "t"), overwrite=True) == 2


def test_data_that_is_gone_names_who_made_it(
    workspace: Workspace, reference: PortDataReference, tmp_path: Path
) -> None:
    workspace.record_store().delete("azureml")
    for read in (reference.files, reference.open, lambda: reference.download(str(tmp_path))):
        with pytest.raises(DataNotFoundException, match=r"train / r1 / fit \(try 1\) is gone: nothing at /"):
            read()


def test_an_output_without_files_is_not_gone(reference: PortDataReference) -> None:
    empty = replace(reference, path_on_datastore="azureml/none", number_of_files=0)
    assert empty.files() == []
    with pytest.raises(DataNotFoundException, match="there is nothing"):
        empty.open()


def test_a_workspace_that_does_not_know_the_datastore(reference: PortDataReference) -> None:
    with pytest.raises(WorkspaceException, match="no datastore 'other'; it has workspaceblobstore"):
        replace(reference, datastore_name="other").files()


# As an input


def test_as_an_input_of_another_pipeline(reference: PortDataReference) -> None:
    assert (reference.as_input("x").name, reference.as_mount().name) == ("x", "model")
    copied = reference.as_download("d", "/x", True)
    assert (copied.bind_object, copied.bind_mode, copied.path_on_compute) == (reference, "download", "/x")
    assert (reference.data_reference_name, reference.pipeline_run_id) == ("model", "r1")


def test_its_maker_in_words() -> None:
    assert Producer("d", "r", "t", -1, 2).text == "d / r / t (try 2)"
    assert Producer("d", "r", "t", 0, 1).text == "d / r / t[0] (try 1)"
