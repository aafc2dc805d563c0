"""Types of columns: inferred, set, and what becomes of values that do not fit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps import Dataset, Datastore
from mlsteps.data.datasets import DataType
from mlsteps.exceptions import UserErrorException

Write = Callable[..., None]


@pytest.fixture
def column(datastore: Datastore, put: Write) -> Callable[..., pd.Series]:
    """The column ``x`` of a file with these texts."""

    def read(*texts: str, type: Any = None, **how: str) -> pd.Series:
        put({"x.csv": "x,row\n" + "".join(f'"{text}",{n}\n' for n, text in enumerate(texts))})
        types = {"x": type} if type else None
        dataset = Dataset.Tabular.from_delimited_files((datastore, "x.csv"), set_column_types=types)
        return dataset.to_pandas_dataframe(**how)["x"]

    return read


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["1", "-2", "+3"], "int64"),
        (["1", ""], "float64"),
        (["1", "2.5", "1e3", "nan", "-inf", ".5"], "float64"),
        (["true", "FALSE", "True"], "bool"),
        (["true", ""], "object"),
        (["2020-01-31", "1999-12-01"], "datetime64[ns]"),
        (["2020-01-31T10:00:00Z", "2020-01-31 10:00:00.5+02:00", "2020-01-31 10:00"], "datetime64[ns]"),
        (["12/31/2020", "01/02/2020"], "datetime64[ns]"),
        (["31/12/2020", "01/02/2020"], "datetime64[ns]"),
        (["01/02/2020", "03/04/2020"], "str"),
        (["2020-02-30"], "str"),
        (["1", "x"], "str"),
        (["true", "1"], "str"),
        (["12345678901234567890123"], "str"),
        (["192.168.0.1"], "str"),
    ],
)
def test_a_column_gets_the_type_that_all_its_values_have(
    column: Callable[..., pd.Series], texts: list[str], dtype: str
) -> None:
    found = column(*texts).dtype
    if dtype == "str":  # object before pandas 3
        assert pd.api.types.is_string_dtype(found)
    else:
        assert found == dtype


def test_times_are_in_utc_without_a_zone(column: Callable[..., pd.Series]) -> None:
    found = column("2020-01-31T10:00:00Z", "2020-01-31T10:00:00+02:00", "2020-01-31T10:00:00")
    assert list(found) == [pd.Timestamp(2020, 1, 31, hour) for hour in (10, 8, 10)]
    assert list(column("12/31/2020", "01/02/2020")) == [pd.Timestamp(2020, 12, 31), pd.Timestamp(2020, 1, 2)]
    assert list(column("31/12/2020", "01/02/2020")) == [pd.Timestamp(2020, 12, 31), pd.Timestamp(2020, 2, 1)]


def test_types_may_be_set(column: Callable[..., pd.Series]) -> None:
    assert list(column("007", "1", type=DataType.to_string())) == ["007", "1"]
    assert list(column("7", "8.0", type=DataType.to_long())) == [7, 8]
    assert list(column("1.234,5", type=DataType.to_float(decimal_mark=","))) == [1234.5]
    assert list(column("yes", "0", type=DataType.to_bool())) == [True, False]
    form = DataType.to_datetime(["%d.%m.%Y", "%Y"])
    assert list(column("31.12.2020", "2021", type=form)) == [
        pd.Timestamp(2020, 12, 31),
        pd.Timestamp(2021, 1, 1),
    ]
    assert list(column("01/02/2020", type=DataType.to_datetime())) == [pd.Timestamp(2020, 1, 2)]


@pytest.mark.parametrize(
    ("texts", "type", "expected"),
    [
        (["1", "1.5", "x"], DataType.to_long(), [1.0, np.nan, np.nan]),
        (["1.5", "x"], DataType.to_float(), [1.5, np.nan]),
        (["true", "x"], DataType.to_bool(), [True, None]),
        (["2020-01-01", "x"], DataType.to_datetime(), [pd.Timestamp(2020, 1, 1), pd.NaT]),
        (["31.12.2020", "x"], DataType.to_datetime("%d.%m.%Y"), [pd.Timestamp(2020, 12, 31), pd.NaT]),
    ],
)
def test_values_of_another_type_are_missing_with_a_warning_or_an_error(
    column: Callable[..., pd.Series],
    caplog: pytest.LogCaptureFixture,
    texts: list[str],
    type: Any,
    expected: list[object],
) -> None:
    with caplog.at_level(logging.WARNING):
        assert repr(list(column(*texts, type=type))) == repr(expected)
    assert "x.csv: values of the column 'x' are not of the type" in caplog.text
    with pytest.raises(UserErrorException, match="x.csv: values of the column 'x' are not of the type"):
        column(*texts, type=type, on_error="fail")


def test_dates_that_pandas_cannot_hold_are_missing_or_an_error(
    column: Callable[..., pd.Series], caplog: pytest.LogCaptureFixture
) -> None:
    for texts in (["2020-01-01", "3000-01-01"], ["3000-01-01", "2020-01-01"]):
        found = column(*texts)
        assert found.dtype == "datetime64[ns]"
        assert list(found.isna()) == ["3000" in text for text in texts]
    assert "before 1677 or after 2262" in caplog.text
    assert column("0001-01-01", on_error="fail").isna().all()
    with pytest.raises(UserErrorException, match="out_of_range_datetime='null' makes them missing"):
        column("2020-01-01", "3000-01-01", out_of_range_datetime="fail")


def test_the_first_file_with_values_settles_a_type(
    datastore: Datastore, put: Write, caplog: pytest.LogCaptureFixture
) -> None:
    put({"in/a.csv": "x,y\n,1\n", "in/b.csv": "x,y\n7,2.5\n", "in/c.csv": "x,y\nabc,3\n"})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "in"))
    frame = dataset.to_pandas_dataframe()
    assert frame["x"].isna().tolist() == [True, False, True]
    assert frame["y"].tolist() == [1, 2.5, 3]
    assert (
        "c.csv: values of the column 'x' are not of the type number: 1, the first of them 'abc'"
        in caplog.text
    )
    with pytest.raises(UserErrorException, match=r"set_column_types=\{'x': DataType.to_string\(\)\} keeps"):
        dataset.to_pandas_dataframe(on_error="fail")


def test_a_type_for_a_column_that_is_not_there_is_an_error(datastore: Datastore, put: Write) -> None:
    put({"a.csv": "x\n1\n"})
    dataset = Dataset.Tabular.from_delimited_files(
        (datastore, "a.csv"), set_column_types={"y": DataType.to_long()}
    )
    with pytest.raises(UserErrorException, match="names the column 'y', but .*a.csv has x"):
        dataset.to_pandas_dataframe()
    with pytest.raises(UserErrorException, match="on_error is 'null' or 'fail'"):
        dataset.to_pandas_dataframe(on_error="ignore")


def test_types_that_are_none_are_refused() -> None:
    with pytest.raises(UserErrorException, match="decimal_mark"):
        DataType.to_float(decimal_mark=";")
    with pytest.raises(UserErrorException, match="formats must be texts"):
        DataType.to_datetime([1])  # type: ignore[list-item]
    with pytest.raises(UserErrorException, match="make a FileDataset"):
        DataType.to_stream(None)


values = st.sampled_from(["", "1", "-3.5", "007", "true", "x", "2020-01-01", "01/02/2020", "nan", "1e5", "ä"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=6))
def test_inference_loses_no_value_of_a_single_file(
    column: Callable[..., pd.Series], texts: list[str]
) -> None:
    found = column(*texts, on_error="fail", out_of_range_datetime="fail")
    assert list(found.isna()) == [
        text == "" or (text == "nan" and pd.api.types.is_float_dtype(found.dtype)) for text in texts
    ]
