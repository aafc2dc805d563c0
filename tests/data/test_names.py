"""Names of ports and parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.names import check_dataset_port_name, check_port_name, environment_variable
from mlsteps.exceptions import UserErrorException


@pytest.mark.parametrize("name", ["a", "A_1", "1a", "_", "0"])
def test_a_port_has_letters_digits_and_underscores(name: str) -> None:
    assert check_port_name(name, "PipelineData") == name


@pytest.mark.parametrize("name", ["", "a-b", "a b", "ü", "a\n", "a.b", "$a", None, 3])
def test_other_port_names_are_refused_with_the_name(name: object) -> None:
    with pytest.raises(UserErrorException) as error:
        check_port_name(name, "PipelineData")
    assert repr(name) in str(error.value) and "PipelineData" in str(error.value)


@pytest.mark.parametrize("name", ["1a", "", "a-b", "a\n", "٣", None])
def test_a_dataset_port_is_also_an_environment_variable(name: object) -> None:
    with pytest.raises(UserErrorException, match="not starting with a digit"):
        check_dataset_port_name(name, "OutputFileDatasetConfig")
    assert check_dataset_port_name("_a1", "") == "_a1"


@given(st.text())
def test_a_parameter_s_variable_is_plain(name: str) -> None:
    variable = environment_variable(name)
    assert len(variable) == len(name)
    assert all(c == "_" or (c.isascii() and c.isalnum()) for c in variable)


def test_a_plain_name_stays() -> None:
    assert environment_variable("learning_rate2") == "learning_rate2"
    assert environment_variable("learning-rate~x") == "learning_rate_x"


@pytest.mark.parametrize("name", ["PATH", "HOME", "PYTHONPATH"])
def test_a_dataset_port_cannot_take_a_variable_that_the_script_needs(name: str) -> None:
    with pytest.raises(UserErrorException, match=f"name '{name}' is not usable"):
        check_dataset_port_name(name, "OutputFileDatasetConfig")
