"""Definitions as plain JSON, and their ids."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps import Dataset, Datastore
from mlsteps.data.datasets import DataType, Definition, dataset_of
from mlsteps.data.datasets.column_types import ColumnType
from mlsteps.data.datasets.definition import (
    ConvertedSource,
    DelimitedReader,
    DropColumns,
    FilesReader,
    Filter,
    JsonLinesReader,
    KeepColumns,
    ParquetReader,
    PathSource,
    QueryReader,
    QuerySource,
    Sample,
    Skip,
    Take,
    Timestamps,
    UrlSource,
)
from mlsteps.exceptions import UserErrorException

text = st.text(max_size=8)
names = st.lists(text, max_size=3).map(tuple)
some_text = st.none() | text
types = st.lists(st.tuples(text, st.builds(ColumnType, text, names, text)), max_size=2).map(tuple)
floats = st.floats(allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.tuples(st.just("column"), text)
    | st.tuples(st.just("value"), st.none() | st.booleans() | st.integers() | floats | text),
    lambda inner: st.tuples(st.sampled_from(["eq", "and", "or", "contains"]), inner, inner),
    max_leaves=4,
)
readers = st.one_of(
    st.builds(FilesReader, some_text, st.booleans()),
    st.builds(
        DelimitedReader, text, text, text, st.booleans(), types, st.booleans(), some_text, st.booleans()
    ),
    st.builds(JsonLinesReader, text, text, types, st.booleans(), some_text),
    st.builds(ParquetReader, types, st.booleans(), some_text),
    st.builds(QueryReader, types),
)
transforms = st.one_of(
    st.builds(Skip, st.integers()),
    st.builds(Take, st.integers()),
    st.builds(Sample, floats, st.integers(), st.booleans()),
    st.builds(Filter, trees),
    st.builds(KeepColumns, names),
    st.builds(DropColumns, names),
    st.builds(Timestamps, some_text, some_text),
)
sources = st.one_of(
    st.builds(PathSource, some_text, text),
    st.builds(UrlSource, text),
    st.builds(QuerySource, some_text, text, st.none() | floats),
)


def definitions(sources: st.SearchStrategy[object]) -> st.SearchStrategy[Definition]:
    return st.builds(
        Definition,
        st.lists(sources, min_size=1, max_size=3).map(tuple),
        readers,
        st.lists(transforms, max_size=4).map(tuple),
    )


nested = definitions(sources | st.builds(ConvertedSource, definitions(sources), text, text))


@given(nested)
def test_a_definition_survives_json(definition: Definition) -> None:
    again = Definition.from_json(json.loads(json.dumps(definition.to_json())))
    assert again == definition
    assert again.id == definition.id


@given(nested, nested)
def test_equal_definitions_are_those_with_equal_ids(one: Definition, other: Definition) -> None:
    # 1, 1.0 and True are equal in Python and not in JSON, so ids may differ where definitions do not.
    if one != other:
        assert one.id != other.id


def test_ids_stay_what_they_are(datastore: Datastore) -> None:
    """Registries hold them: this test may gain lines, and none may change."""
    files = Dataset.File.from_files((datastore, "images/**"))
    rows = Dataset.Tabular.from_delimited_files(
        (datastore, "a.csv"), set_column_types={"a": DataType.to_long()}
    )
    assert files.id == "252dd7d8-7c5c-579e-aa8f-2e3fe52b3af9"
    assert (
        rows.filter((rows["a"] > 3) & ~rows["b"].is_null()).take(5).id
        == "9eb0bc6a-5262-57eb-9497-ee511c0e0c92"
    )


def test_a_dataset_is_made_again_from_its_json(datastore: Datastore) -> None:
    files = Dataset.File.from_files((datastore, "a")).take(3)
    rows = Dataset.Tabular.from_parquet_files((datastore, "b"), include_path=True)
    rows = rows.with_timestamp_columns("t").time_after(datetime(2020, 1, 2))
    for dataset in (files, rows):
        carried = json.loads(json.dumps(dataset.definition.to_json()))
        again = dataset_of(Definition.from_json(carried), datastore.workspace)
        assert type(again) is type(dataset)
        assert again == dataset
        assert hash(again) == hash(dataset)
        for copied in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
            assert copied == dataset


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "no dataset definition"),
        ({"kind": "dataset"}, "no dataset definition"),
        ({"version": 99, "kind": "dataset"}, "upgrade mlsteps"),
        ({"version": 1, "kind": "dataset"}, "missing 2 required"),
        ({"version": 1, "kind": "hologram"}, "'hologram', which this mlsteps does not know"),
        ({"version": 1, "kind": "take", "count": 3}, "found Take"),
        ({"version": 1, "kind": "take", "count": 3, "by": 4}, "take: .*unexpected keyword argument 'by'"),
    ],
)
def test_what_is_no_definition_is_refused(value: object, told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        Definition.from_json(value)
