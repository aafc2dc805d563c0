"""Rows of delimited files: headers, encodings, separators, paths."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from mlsteps import Dataset, Datastore
from mlsteps.data.datasets import PromoteHeadersBehavior
from mlsteps.exceptions import DataNotFoundException, UserErrorException

Write = Callable[..., None]
read = Dataset.Tabular.from_delimited_files


def rows(frame: pd.DataFrame) -> list[list[object]]:
    return [[None if pd.isna(value) else value for value in row] for row in frame.itertuples(index=False)]


def test_files_are_read_by_path_and_typed(datastore: Datastore, put: Write) -> None:
    put({"in/b.csv": "x,y\n3,c\n", "in/a.csv": "x,y\n1,a\n2,b\n"})
    frame = read((datastore, "in/*.csv")).to_pandas_dataframe()
    assert rows(frame) == [[1, "a"], [2, "b"], [3, "c"]]
    assert list(frame.index) == [0, 1, 2]
    assert frame["x"].dtype == "int64"


def test_the_same_header_may_have_another_order(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "x,y\n1,a\n", "in/b.csv": "y,x\nb,2\n"})
    assert rows(read((datastore, "in")).to_pandas_dataframe()) == [[1, "a"], [2, "b"]]


def test_another_header_is_an_error_unless_headers_are_combined(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "x,y\n1,a\n", "in/b.csv": "x,z\n2,b\n"})
    with pytest.raises(UserErrorException, match="b.csv has the columns x, z, the files before it"):
        read((datastore, "in")).to_pandas_dataframe()
    combined = read((datastore, "in"), header=PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS)
    frame = combined.to_pandas_dataframe()
    assert list(frame.columns) == ["x", "y", "z"]
    assert rows(frame) == [[1, "a", None], [2, None, "b"]]


def test_files_without_headers(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "1,a\n", "in/b.csv": "2,b\n"})
    for header in (False, PromoteHeadersBehavior.NO_HEADERS):
        frame = read((datastore, "in"), header=header).to_pandas_dataframe()
        assert list(frame.columns) == ["Column1", "Column2"]
        assert rows(frame) == [[1, "a"], [2, "b"]]


def test_only_the_first_file_may_have_a_header(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "x,y\n1,a\n", "in/b.csv": "2,b\n"})
    only = PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS
    assert rows(read((datastore, "in"), header=only).to_pandas_dataframe()) == [[1, "a"], [2, "b"]]
    put({"in/c.csv": "3\n"})
    with pytest.raises(UserErrorException, match="c.csv has 1 columns, the files before it have 2"):
        read((datastore, "in"), header=only).to_pandas_dataframe()


def test_blank_and_repeated_names_get_a_number(datastore: Datastore, put: Write) -> None:
    put({"a.csv": ",x,x\n0,1,2\n"})
    assert list(read((datastore, "a.csv")).to_pandas_dataframe().columns) == ["Column1", "x", "x_1"]


def test_empty_files_have_no_rows(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "", "in/b.csv": "x\n1\n", "in/c.csv": "x\n"})
    assert rows(read((datastore, "in")).to_pandas_dataframe()) == [[1]]
    assert read((datastore, "in/a.csv")).to_pandas_dataframe().empty
    header_only = read((datastore, "in/c.csv")).to_pandas_dataframe()
    assert (list(header_only.columns), len(header_only)) == (["x"], 0)


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf8", "utf-8"),
        ("utf8", "utf-8-sig"),
        ("utf8bom", "utf-8-sig"),
        ("latin1", "latin-1"),
        ("iso88591", "latin-1"),
        ("windows1252", "cp1252"),
        ("utf16", "utf-16"),
        ("utf32", "utf-32"),
    ],
)
def test_encodings(datastore: Datastore, put: Write, encoding: str, codec: str) -> None:
    put({"a.csv": "größe\nä\n".encode(codec)})
    frame = read((datastore, "a.csv"), encoding=encoding).to_pandas_dataframe()
    assert frame.to_dict("list") == {"größe": ["ä"]}


def test_another_encoding_than_said_names_the_argument(datastore: Datastore, put: Write) -> None:
    put({"a.csv": "größe\nä\n".encode("latin-1")})
    with pytest.raises(UserErrorException, match="a.csv is not text in the encoding utf8.*Pass encoding="):
        read((datastore, "a.csv")).to_pandas_dataframe()


@pytest.mark.parametrize("separator", [";", "\t", "|", "||", " ", "."])
def test_separators(datastore: Datastore, put: Write, separator: str) -> None:
    put({"a.csv": f"x{separator}y\n1{separator}a\n"})
    frame = read((datastore, "a.csv"), separator=separator).to_pandas_dataframe()
    assert frame.to_dict("list") == {"x": [1], "y": ["a"]}


def test_a_line_that_is_too_long_is_named(datastore: Datastore, put: Write) -> None:
    put({"a.csv": "x,y\n1,2\n1,2,3\n"})
    with pytest.raises(UserErrorException, match="a.csv is not delimited text .* ','.*line 3"):
        read((datastore, "a.csv")).to_pandas_dataframe()


def test_line_breaks_in_quotes_belong_to_the_value(datastore: Datastore, put: Write) -> None:
    put({"a.csv": 'x,y\n"a\nb",1\n'})
    for multi in (True, False):
        frame = read((datastore, "a.csv"), support_multi_line=multi).to_pandas_dataframe()
        assert rows(frame) == [["a\nb", 1]]


def test_empty_texts_are_missing_unless_they_are_texts(datastore: Datastore, put: Write) -> None:
    put({"a.csv": "x,y\n,\nNA,1\n"})
    assert rows(read((datastore, "a.csv")).to_pandas_dataframe()) == [[None, None], ["NA", 1]]
    texts = read((datastore, "a.csv"), empty_as_string=True).to_pandas_dataframe()
    assert rows(texts) == [["", None], ["NA", 1]]
    untyped = read((datastore, "a.csv"), empty_as_string=True, infer_column_types=False)
    assert rows(untyped.to_pandas_dataframe()) == [["", ""], ["NA", "1"]]


def test_the_path_and_its_parts_are_columns_in_front(datastore: Datastore, put: Write) -> None:
    put({"in/de/2020/01/a.csv": "x\n1\n", "in/fr/2020/02/b.csv": "x\n2\n"})
    dataset = read((datastore, "in/**"), include_path=True, partition_format="/{land}/{month:yyyy/MM}/*.csv")
    frame = dataset.to_pandas_dataframe()
    assert list(frame.columns) == ["Path", "land", "month", "x"]
    assert rows(frame) == [
        ["/in/de/2020/01/a.csv", "de", pd.Timestamp(2020, 1, 1), 1],
        ["/in/fr/2020/02/b.csv", "fr", pd.Timestamp(2020, 2, 1), 2],
    ]
    assert frame["month"].dtype == "datetime64[ns]"


def test_files_that_a_filter_excludes_by_their_path_are_not_read(datastore: Datastore, put: Write) -> None:
    put({"in/de/a.csv": b"x\n\xff\n", "in/fr/b.csv": "x\n2\n"})
    dataset = read((datastore, "in/**"), partition_format="/{land}/*.csv")
    assert rows(dataset.filter(dataset["land"] == "fr").to_pandas_dataframe()) == [["fr", 2]]
    put({"in/de/a.csv": "x\n1\n"})
    none = dataset.filter(dataset["land"] == "es").to_pandas_dataframe()
    assert (list(none.columns), len(none)) == (["land", "x"], 0)


def test_a_column_that_the_path_makes_too_is_an_error(datastore: Datastore, put: Write) -> None:
    put({"in/de/a.csv": "land\n1\n"})
    with pytest.raises(UserErrorException, match="a.csv has a column 'land', which"):
        read((datastore, "in"), partition_format="/{land}/a.csv").to_pandas_dataframe()


def test_reading_stops_when_enough_is_taken(datastore: Datastore, put: Write) -> None:
    put({"in/a.csv": "x\n1\n2\n", "in/b.csv": b"\xff"})
    assert rows(read((datastore, "in")).take(2).to_pandas_dataframe()) == [[1], [2]]


def test_nothing_is_read_before_rows_are_wanted(datastore: Datastore) -> None:
    dataset = read((datastore, "no/such.csv"), validate=True)
    with pytest.raises(DataNotFoundException, match="'no/such.csv' on datastore"):
        dataset.to_pandas_dataframe()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"encoding": "ebcdic"}, "encoding 'ebcdic' is not one of utf8"),
        ({"separator": ""}, "separator must be a text"),
        ({"header": "yes"}, "header must be True, False or a PromoteHeadersBehavior"),
        ({"set_column_types": {"x": "long"}}, "DataType.to_string"),
        ({"set_column_types": ["x"]}, "set_column_types must be a dict"),
        ({"partition_format": "/x/y.csv"}, "names no column"),
    ],
)
def test_wrong_arguments_are_named(datastore: Datastore, arguments: dict[str, object], told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        read((datastore, "a.csv"), **arguments)  # type: ignore[arg-type]
