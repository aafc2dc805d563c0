"""Data that steps make, and bindings of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mlsteps import Datastore, PipelineData
from mlsteps.data import InputPortBinding, OutputPortBinding
from mlsteps.exceptions import UserErrorException


def test_a_copy_of_a_dag_talks_of_the_same_data() -> None:
    data = PipelineData("model")
    copied: Any = copy.deepcopy({"outputs": [data], "inputs": [data.as_input("m")]})
    assert copied["outputs"][0] is data
    assert copied["inputs"][0].bind_object is data
    assert data.origin is data


def test_its_output_name_is_the_port() -> None:
    assert PipelineData("model").output_name == "model"
    data = PipelineData("model", output_name="out")
    assert data.get_env_variable_name() == "AZUREML_DATAREFERENCE_out"
    assert str(data) == data.serialize() == "$AZUREML_DATAREFERENCE_out"
    assert data.name == "model"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "a-b"}, "PipelineData name 'a-b'"),
        ({"name": "a", "output_name": "b c"}, "output name 'b c'"),
        ({"name": "a", "output_mode": "link"}, "'a': output_mode 'link' is not mount or upload"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(UserErrorException, match=text):
        PipelineData(**arguments)


def test_as_an_input_it_may_have_another_name_and_mode() -> None:
    data = PipelineData("model")
    mounted, named, copied = data.as_mount(), data.as_input("m"), data.as_download("d", "/x", True)
    assert (mounted.name, mounted.bind_mode, mounted.bind_object) == ("model", "mount", data)
    assert (named.name, named.bind_mode) == ("m", "mount")
    assert (copied.name, copied.bind_mode, copied.path_on_compute, copied.overwrite) == (
        "d",
        "download",
        "/x",
        True,
    )
    assert str(named) == named.serialize() == "$AZUREML_DATAREFERENCE_m"
    assert data.create_input_binding().bind_mode == "mount"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "a b", "bind_object": PipelineData("x")}, "InputPortBinding name 'a b'"),
        ({"name": "a"}, "'a': bind_object is required"),
        ({"name": "a", "bind_object": PipelineData("x"), "bind_mode": "direct"}, "bind_mode 'direct'"),
    ],
)
def test_a_wrong_input_binding_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(UserErrorException, match=text):
        InputPortBinding(**arguments)


def test_an_output_binding_is_pipeline_data(datastore: Datastore) -> None:
    binding = OutputPortBinding("a", datastore, "out", "upload", "x", True, False, "t", "named")
    data = binding.data
    assert (binding.name, data.output_name, data.output_mode, data.datastore) == (
        "a",
        "out",
        "upload",
        datastore,
    )
    assert (data.output_path_on_compute, data.is_directory, data.output_overwrite) == ("x", True, False)
    assert (data.data_type, data.pipeline_output_name) == ("t", "named")
    assert str(binding) == "$AZUREML_DATAREFERENCE_out"
