"""TabularDataset: rows and columns chosen, time, JSON lines, Parquet, SQL, and rows as files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlsteps import DataPath, Dataset, Datastore, TabularDataset, Workspace
from mlsteps.data.datasets import DataType, files_of
from mlsteps.exceptions import UserErrorException

Write = Callable[..., None]


@pytest.fixture
def people(datastore: Datastore, put: Write) -> TabularDataset:
    put(
        {
            "people/1.csv": "name,age,born\nAda,36,1815-12-10\nBob,,2001-05-05\n",
            "people/2.csv": "name,age,born\nCleo,39,2020-01-01\n,7,\n",
        }
    )
    return Dataset.Tabular.from_delimited_files((datastore, "people/*.csv"))


def names(dataset: TabularDataset) -> list[object]:
    return [None if pd.isna(name) else name for name in dataset.to_pandas_dataframe()["name"]]


def test_rows_are_chosen_across_files(people: TabularDataset) -> None:
    assert names(people.skip(1).take(2)) == ["Bob", "Cleo"]
    assert names(people.take(3).skip(2)) == ["Cleo"]
    assert names(people.skip(9)) == []
    assert names(people.take(0)) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda d: d["age"] > 36, ["Cleo"]),
        (lambda d: d["age"] >= 36, ["Ada", "Cleo"]),
        (lambda d: (d["age"] < 36) | (d["name"] == "Ada"), ["Ada", None]),
        (lambda d: (d["age"] > 1) & (d["name"] != "Ada"), ["Cleo", None]),
        (lambda d: ~(d["age"] > 36), ["Ada", "Bob", None]),
        (lambda d: d["age"].is_null(), ["Bob"]),
        (lambda d: ~d["name"].is_null() & ~d["name"].contains("o"), ["Ada"]),
        (lambda d: ~d["name"].contains("o"), ["Ada", None]),
        (lambda d: d["name"].starts_with("B") | d["name"].ends_with("a"), ["Ada", "Bob"]),
        (lambda d: d["born"] < datetime(2001, 5, 6, tzinfo=timezone.utc), ["Ada", "Bob"]),
        (lambda d: d["born"] == datetime(2001, 5, 5).date(), ["Bob"]),
        (lambda d: d["age"] == d["age"], ["Ada", "Cleo", None]),
        (lambda d: d["age"] == np.int64(7), [None]),
    ],
)
def test_rows_are_filtered(people: TabularDataset, condition: Any, expected: list[object]) -> None:
    assert names(people.filter(condition(people))) == expected


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (lambda d: d["size"] > 1, "no column 'size'; there is name, age, born"),
        (lambda d: d["name"] > 1, r"\(\['name'\] > 1\) does not work on these values"),
        (lambda d: d["age"].contains("x"), r"\['age'\].contains\('x'\) does not work"),
        (lambda d: d["age"] == [1], "cannot compare a column with"),
        (lambda d: d["age"] > float("inf"), r"is_null\(\) finds missing values"),
        (lambda d: (d["age"] > 1) and (d["age"] < 3), "with &, | and ~"),
    ],
)
def test_wrong_conditions_are_explained(people: TabularDataset, condition: Any, told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        people.filter(condition(people)).to_pandas_dataframe()


def test_columns_are_chosen(people: TabularDataset) -> None:
    kept = people.keep_columns(["born", "name"]).to_pandas_dataframe()
    assert list(kept.columns) == ["born", "name"]
    assert list(people.drop_columns("born").to_pandas_dataframe().columns) == ["name", "age"]
    for change in (people.keep_columns("x"), people.drop_columns(["name", "x"])):
        with pytest.raises(UserErrorException, match="no column 'x'; there is name, age, born"):
            change.to_pandas_dataframe()
    for wrong in ([], ["a", "a"], [1]):
        with pytest.raises(UserErrorException, match="keep_columns: "):
            people.keep_columns(wrong)  # type: ignore[arg-type]


def test_a_split_has_every_row_once(datastore: Datastore, put: Write) -> None:
    put({f"in/{part}.csv": "x\n" + "".join(f"{part}{n:02}\n" for n in range(50)) for part in (1, 2)})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "in"))
    one, other = dataset.random_split(0.7)
    xs, others = set(one.to_pandas_dataframe()["x"]), set(other.to_pandas_dataframe()["x"])
    assert 50 < len(xs) < 90
    assert not xs & others
    assert xs | others == set(dataset.to_pandas_dataframe()["x"])
    assert set(dataset.random_split(0.7)[0].to_pandas_dataframe()["x"]) == xs
    assert 30 < len(dataset.take_sample(0.5, seed=1).to_pandas_dataframe()) < 70


def test_rows_are_chosen_by_time(people: TabularDataset) -> None:
    timed = people.with_timestamp_columns("born")
    assert timed.timestamp_columns == ("born", None)
    border = datetime(2001, 5, 5)
    assert names(timed.time_after(border)) == ["Bob", "Cleo"]
    assert names(timed.time_after(border, include_boundary=False)) == ["Cleo"]
    assert names(timed.time_before(border)) == ["Ada", "Bob"]
    assert names(timed.time_before(border, include_boundary=False)) == ["Ada"]
    assert names(timed.time_between(border, datetime(2019, 1, 1))) == ["Bob"]


def test_the_last_days_are_counted_from_when_rows_are_read(datastore: Datastore, put: Write) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    times = [now - timedelta(days=days) for days in (1, 10)]
    put({"a.csv": "t\n" + "".join(f"{time:%Y-%m-%d %H:%M:%S}\n" for time in times)})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "a.csv")).with_timestamp_columns("t")
    recent = dataset.time_recent(timedelta(days=5))
    assert len(recent.to_pandas_dataframe()) == 1
    assert recent == dataset.time_recent(timedelta(days=5))
    with pytest.raises(UserErrorException, match="must be a timedelta"):
        dataset.time_recent(5)  # type: ignore[arg-type]


def test_without_its_column_a_dataset_has_no_time(people: TabularDataset) -> None:
    timed = people.with_timestamp_columns(timestamp="born", partition_timestamp="age")
    assert timed.drop_columns("born").timestamp_columns == (None, "age")
    assert timed.keep_columns("name").timestamp_columns == (None, None)
    assert timed.drop_columns("name").timestamp_columns == ("born", "age")
    assert people.with_timestamp_columns(fine_grain_timestamp="born").timestamp_columns == ("born", None)
    with pytest.raises(UserErrorException, match="time_after: the dataset has no time"):
        people.time_after(datetime(2020, 1, 1))
    with pytest.raises(UserErrorException, match="are both 'born'"):
        people.with_timestamp_columns("born", "born")
    with pytest.raises(UserErrorException, match="expected a datetime, got '2020'"):
        timed.time_after("2020")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'clock'"):
        people.with_timestamp_columns(clock="born")


# Other formats


def test_json_lines_keep_their_types(datastore: Datastore, put: Write) -> None:
    put({"in/a.jsonl": '{"a": 1, "b": "x"}\n\n{"a": 2, "c": true}\n', "in/b.jsonl": '{"a": 3}\n'})
    frame = Dataset.Tabular.from_json_lines_files((datastore, "in")).to_pandas_dataframe()
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame["a"].tolist() == [1, 2, 3]
    typed = Dataset.Tabular.from_json_lines_files(
        (datastore, "in"), set_column_types={"a": DataType.to_string(), "c": DataType.to_bool()}
    ).to_pandas_dataframe()
    assert typed["a"].tolist() == ["1", "2", "3"]
    assert typed["c"].tolist()[1] is True


def test_lines_that_are_no_objects_are_an_error_or_left_out(
    datastore: Datastore, put: Write, caplog: pytest.LogCaptureFixture
) -> None:
    put({"a.jsonl": '{"a": 1}\n[1]\n{"a": 2\n'})
    make = Dataset.Tabular.from_json_lines_files
    with pytest.raises(UserErrorException, match=r"a.jsonl, line 2 is no JSON object: found list.*'drop'"):
        make((datastore, "a.jsonl")).to_pandas_dataframe()
    assert len(make((datastore, "a.jsonl"), invalid_lines="drop").to_pandas_dataframe()) == 1
    assert "2 lines that are no JSON objects were left out" in caplog.text
    put({"b.jsonl": b'{"a": "\xff"}'})
    with pytest.raises(UserErrorException, match="not text in the encoding utf8"):
        make((datastore, "b.jsonl")).to_pandas_dataframe()
    with pytest.raises(UserErrorException, match="'error' or 'drop'"):
        make((datastore, "a.jsonl"), invalid_lines="keep")


def test_parquet_files_keep_their_types(datastore: Datastore, tmp_path: Path) -> None:
    zone = pd.to_datetime(["2020-01-01 12:00"]).tz_localize("Europe/Berlin")
    pd.DataFrame({"a": [1], "t": zone, "n": ["x"]}, index=[9]).to_parquet(tmp_path / "x.parquet")
    datastore.store.put_file(tmp_path / "x.parquet", "in/x.parquet")
    dataset = Dataset.Tabular.from_parquet_files(
        (datastore, "in"), include_path=True, set_column_types={"a": DataType.to_string()}
    )
    frame = dataset.to_pandas_dataframe()
    assert list(frame.columns) == ["Path", "a", "t", "n", "__index_level_0__"]
    assert frame["a"].tolist() == ["1"]
    assert frame["t"].tolist() == [pd.Timestamp(2020, 1, 1, 11)]
    assert frame["t"].dtype == "datetime64[ns]"
    datastore.store.write("bad/x.parquet", b"no")
    with pytest.raises(UserErrorException, match="x.parquet is not readable as Parquet"):
        Dataset.Tabular.from_parquet_files((datastore, "bad")).to_pandas_dataframe()


@pytest.mark.parametrize(
    ("module", "maker"), [("pandas", "from_delimited_files"), ("pyarrow.parquet", "from_parquet_files")]
)
def test_a_missing_package_is_named(
    datastore: Datastore, put: Write, monkeypatch: pytest.MonkeyPatch, module: str, maker: str
) -> None:
    put({"a": "x"})
    monkeypatch.setitem(sys.modules, module, None)
    make: Any = getattr(Dataset.Tabular, maker)
    with pytest.raises(UserErrorException, match=f"pip install {module.partition('.')[0]}"):
        make((datastore, "a")).to_pandas_dataframe()


# SQL


class FakeDatabase:
    """Stands for an SQL datastore: remembers what it was asked, and answers with one frame."""

    def __init__(self, answer: pd.DataFrame) -> None:
        self.answer = answer
        self.asked: list[tuple[str, object, object]] = []

    def read_pandas(
        self, query: str, parameters: Mapping[str, Any] | None, timeout: float | None
    ) -> pd.DataFrame:
        self.asked.append((query, parameters, timeout))
        return self.answer


class SqlWorkspace(Workspace):
    """A workspace with one database."""

    database: FakeDatabase

    def open_sql(self, name: str) -> FakeDatabase:
        assert name == "warehouse"
        return self.database


def test_a_query_runs_when_rows_are_wanted(tmp_path: Path) -> None:
    workspace = SqlWorkspace(folder=tmp_path)
    workspace.database = FakeDatabase(pd.DataFrame({"id": [1, 2], "day": ["2020-01-01", "x"]}))
    query = (Datastore(workspace, "warehouse"), "SELECT * FROM t")
    types = {"day": DataType.to_datetime()}
    dataset = Dataset.Tabular.from_sql_query(query, set_column_types=types, query_timeout=10)
    assert workspace.database.asked == []
    frame = dataset.filter(dataset["id"] > 1).to_pandas_dataframe()
    assert frame["id"].tolist() == [2] and frame["day"].isna().all()
    assert workspace.database.asked == [("SELECT * FROM t", None, 10.0)]
    by_path = Dataset.Tabular.from_sql_query(DataPath(*query), query_timeout=0)
    assert len(by_path.to_pandas_dataframe()) == 2
    assert workspace.database.asked[1] == ("SELECT * FROM t", None, None)
    with pytest.raises(UserErrorException, match="a query has no files"):
        list(files_of(dataset))


@pytest.mark.parametrize(
    ("query", "more", "told"),
    [("SELECT 1", {}, "query must be a tuple"), (None, {"query_timeout": -1}, "query_timeout is in seconds")],
)
def test_queries_that_cannot_be_run_are_refused(
    datastore: Datastore, query: Any, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserErrorException, match=told):
        Dataset.Tabular.from_sql_query(query or (datastore, "SELECT 1"), **more)


# Rows as files


def test_rows_are_files_when_they_are_read(people: TabularDataset, tmp_path: Path) -> None:
    csv = people.filter(people["age"] > 36).to_csv_files(separator=";")
    (file,) = csv.download(tmp_path / "csv")
    assert file == str(tmp_path / "csv/part-00000.csv")
    assert Path(file).read_text() == "name;age;born\nCleo;39;2020-01-01\n"
    parquet = people.to_parquet_files()
    assert parquet.to_path() == ["/part-00000.parquet", "/part-00001.parquet"]
    parts = [pd.read_parquet(file) for file in parquet.download(tmp_path / "parquet")]
    assert [len(part) for part in parts] == [2, 2]
    (empty,) = people.take(0).to_csv_files().download(tmp_path / "empty")
    assert Path(empty).read_text() == "name,age,born\n"


def test_rows_are_partitioned_by_columns(people: TabularDataset, datastore: Datastore) -> None:
    whole = people.filter(~people["age"].is_null())
    parts = whole.partition_by(["age"], (datastore, "parts"), name="by age", show_progress=False)
    assert (parts.name, parts.partition_keys) == ("by age", ["age"])
    assert isinstance(parts, TabularDataset)
    frame = parts.to_pandas_dataframe()
    assert list(frame.columns) == ["age", "name", "born"]
    assert sorted(frame["age"]) == [7, 36, 39]
    chosen = parts.filter(parts["age"] > 38)
    assert chosen.to_pandas_dataframe()["name"].tolist() == ["Cleo"]
    files = whole.partition_by(["age"], datastore, show_progress=False, partition_as_file_dataset=True)
    assert [values["age"] for values in files.get_partition_key_values()] == ["36", "39", "7"]
    with pytest.raises(UserErrorException, match="nan in the column 'age' cannot be a folder's name"):
        people.partition_by(["age"], datastore, show_progress=False)
    with pytest.raises(UserErrorException, match="no column 'size'; there is name, age, born"):
        people.partition_by(["size"], datastore, show_progress=False)


def test_a_pandas_frame_is_written_and_registered(datastore: Datastore, workspace: Workspace) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    make = Dataset.Tabular.register_pandas_dataframe
    first = make(frame, datastore, "frame", description="d", tags={"k": "v"}, show_progress=False)
    assert (first.name, first.version, first.description, first.tags) == ("frame", 1, "d", {"k": "v"})
    again = make(frame.head(1), (datastore, "sub"), "frame", show_progress=False, row_group_size=1)
    assert again.version == 2
    assert first.to_pandas_dataframe()["a"].tolist() == [1, 2]
    assert Dataset.get_by_name(workspace, "frame").to_pandas_dataframe()["a"].tolist() == [1]
    there = (datastore, "plain")
    make(frame, there, "plain", show_progress=False, make_target_path_unique=False)
    assert [info.path for info in datastore.store.list("plain")] == ["plain/part-00000.parquet"]
    with pytest.raises(UserErrorException, match="'plain' on datastore '.+' is not empty"):
        make(frame, there, "plain", show_progress=False, make_target_path_unique=False)
    with pytest.raises(UserErrorException, match="must be a pandas DataFrame, got list"):
        make([1], datastore, "x")
