"""FileDataset: copies, subsets and partitions of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from mlsteps import Dataset, Datastore, FileDataset
from mlsteps.exceptions import DataNotFoundException, UserErrorException

Write = Callable[..., None]


@pytest.fixture
def hundred(datastore: Datastore, put: Write) -> FileDataset:
    put({f"many/{number:03}.txt": "x" * number for number in range(100)})
    return Dataset.File.from_files((datastore, "many"))


def test_a_download_has_the_files_at_their_paths(datastore: Datastore, put: Write, tmp_path: Path) -> None:
    put({"in/a.txt": "A", "in/sub/b.txt": "B"})
    dataset = Dataset.File.from_files((datastore, "in"))
    target = tmp_path / "target"
    assert dataset.download(target) == [str(target / "a.txt"), str(target / "sub/b.txt")]
    assert (target / "sub/b.txt").read_text() == "B"
    with pytest.raises(UserErrorException, match=r"a.txt' exists already. Pass overwrite=True"):
        dataset.download(target)
    (target / "a.txt").write_text("old")
    dataset.download(target, overwrite=True)
    assert (target / "a.txt").read_text() == "A"
    (file, _) = dataset.download()
    assert Path(file).read_text() == "A"


def test_a_download_may_go_without_what_is_not_there(
    datastore: Datastore, put: Write, tmp_path: Path
) -> None:
    put({"in/a.txt": "A"})
    dataset = Dataset.File.from_files([(datastore, "in/a.txt"), (datastore, "in/gone.txt")])
    with pytest.raises(DataNotFoundException, match="'in/gone.txt'"):
        dataset.download(tmp_path / "x")
    assert dataset.download(tmp_path / "x", ignore_not_found=True) == [str(tmp_path / "x/in/a.txt")]


def test_a_file_that_goes_while_it_is_copied_is_named(
    datastore: Datastore, put: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put({"in/a.txt": "A", "in/b.txt": "B"})
    real = type(datastore.store).open

    def open_and_lose(self: object, path: str) -> object:
        if path.endswith("a.txt"):
            raise FileNotFoundError(path)
        return real(self, path)  # type: ignore[arg-type]

    monkeypatch.setattr(type(datastore.store), "open", open_and_lose)
    dataset = Dataset.File.from_files((datastore, "in"))
    with pytest.raises(DataNotFoundException, match="in/a.txt was there when it was listed"):
        dataset.download(tmp_path / "x")
    assert dataset.download(tmp_path / "y", ignore_not_found=True) == [str(tmp_path / "y/b.txt")]


def test_a_mount_is_there_for_the_block(datastore: Datastore, put: Write, tmp_path: Path) -> None:
    put({"in/a.txt": "A", "in/sub/b.txt": "B"})
    dataset = Dataset.File.from_files((datastore, "in"))
    with dataset.mount() as mount:
        assert sorted(os.listdir(mount.mount_point)) == ["a.txt", "sub"]
    assert not os.path.exists(mount.mount_point)
    mine = tmp_path / "mine"
    mount = dataset.mount(mine)
    mount.start()
    assert (mine / "a.txt").read_text() == "A"
    with pytest.raises(UserErrorException, match="is not empty"):
        dataset.mount(mine)
    mount.stop()
    assert list(mine.iterdir()) == []


def test_a_mount_that_fails_leaves_nothing(datastore: Datastore) -> None:
    mount = Dataset.File.from_files((datastore, "gone")).mount()
    with pytest.raises(DataNotFoundException), mount:
        pass
    assert not os.path.exists(mount.mount_point)


def test_subsets_are_new_datasets(hundred: FileDataset) -> None:
    assert hundred.skip(2).take(2).to_path() == ["/002.txt", "/003.txt"]
    assert hundred.take(3).skip(2).to_path() == ["/002.txt"]
    assert hundred.take(0).to_path() == []
    assert len(hundred.to_path()) == 100


def test_a_sample_is_the_same_each_time_and_another_with_another_seed(hundred: FileDataset) -> None:
    sample = hundred.take_sample(0.5).to_path()
    assert 25 < len(sample) < 75
    assert hundred.take_sample(0.5).to_path() == sample
    assert hundred.take_sample(0.5, seed=1).to_path() != hundred.take_sample(0.5, seed=2).to_path()


def test_a_split_has_every_file_once(hundred: FileDataset) -> None:
    one, other = hundred.random_split(0.8, seed=3)
    assert 65 < len(one.to_path()) < 95
    assert sorted([*one.to_path(), *other.to_path()]) == hundred.to_path()


def test_files_are_filtered_by_size(hundred: FileDataset) -> None:
    size = hundred.file_metadata("Size")
    assert hundred.filter((size >= 3) & ~(size > 5)).to_path() == ["/003.txt", "/004.txt", "/005.txt"]
    with pytest.raises(UserErrorException, match="there is 'Size'"):
        hundred.file_metadata("LastModifiedTime")


def test_files_are_filtered_by_what_their_paths_say(datastore: Datastore, put: Write) -> None:
    put({f"in/{land}/2020/0{month}/x.txt": "" for land in ("de", "fr") for month in (1, 2)})
    dataset = Dataset.File.from_files((datastore, "in"), partition_format="/{land}/{day:yyyy/MM}/x.txt")
    assert dataset.partition_keys == ["land", "day"]
    assert dataset.get_partition_key_values(["land"]) == [{"land": "de"}, {"land": "fr"}]
    assert dataset.get_partition_key_values()[1] == {"land": "de", "day": datetime(2020, 2, 1)}
    chosen = dataset.filter((dataset["land"] == "fr") & (dataset["day"] > datetime(2020, 1, 15)))
    assert chosen.to_path() == ["/fr/2020/02/x.txt"]
    assert dataset.filter(dataset["land"].starts_with("d")).take(1).to_path() == ["/de/2020/01/x.txt"]
    assert dataset.filter(dataset["land"].contains("r") | dataset["land"].is_null()).take(1).to_path()
    with pytest.raises(UserErrorException, match="no column 'city'; there is land, day, file:Size"):
        dataset.filter(dataset["city"] == "x").to_path()
    with pytest.raises(UserErrorException, match="'city' is no partition column; the dataset has land, day"):
        dataset.get_partition_key_values(["city"])


def test_a_folder_is_uploaded_and_is_a_dataset(datastore: Datastore, tmp_path: Path) -> None:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/a.csv").write_text("a")
    (tmp_path / "src/sub/b.csv").write_text("b")
    (tmp_path / "src/c.txt").write_text("c")
    upload = Dataset.File.upload_directory
    all_files = upload(tmp_path / "src", (datastore, "up"), show_progress=False)
    assert all_files.to_path() == ["/a.csv", "/c.txt", "/sub/b.csv"]
    some = upload(str(tmp_path / "src"), datastore.path("some"), pattern="**/*.csv", show_progress=False)
    assert some.to_path() == ["/a.csv", "/sub/b.csv"]
    with pytest.raises(UserErrorException, match="'a.csv' is at 'up' on datastore '.+' already"):
        upload(tmp_path / "src", (datastore, "up"), show_progress=False)
    upload(tmp_path / "src", (datastore, "up"), overwrite=True, show_progress=False)
    with pytest.raises(UserErrorException, match="no files that match '\\*.png'"):
        upload(tmp_path / "src", datastore, pattern="*.png")
    with pytest.raises(UserErrorException, match="is not a folder"):
        upload(tmp_path / "none", datastore)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda d: d.take(-1), "take: count"),
        (lambda d: d.skip("1"), "skip: count"),
        (lambda d: d.take_sample(1.5), "probability must lie between 0 and 1"),
        (lambda d: d.random_split(0), "percentage must lie between 0 and 1"),
        (lambda d: d.random_split(0.5, seed="x"), "seed must be an int"),
        (lambda d: d.filter("x > 3"), "expression must be a condition"),
        (lambda d: d[["a", "b"]], "the name of one column"),
        (lambda d: d.as_hdfs(), "no HDFS"),
        (lambda d: d.add_tags({"a": "b"}), "add_tags: the dataset is not registered"),
    ],
)
def test_wrong_arguments_are_named(datastore: Datastore, call: object, told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        call(Dataset.File.from_files((datastore, "x")))  # type: ignore[operator]


def test_what_sdk_v1_has_and_we_have_not_says_what_to_use(datastore: Datastore) -> None:
    files = Dataset.File.from_files((datastore, "x"))
    with pytest.raises(AttributeError, match="FileDataset has no attribute 'to_pandas_dataframe': its files"):
        files.to_pandas_dataframe()  # type: ignore[attr-defined]
    rows = Dataset.Tabular.from_parquet_files((datastore, "x"))
    with pytest.raises(AttributeError, match=r"to_csv_files\(\).as_mount\(\)"):
        rows.as_mount()  # type: ignore[attr-defined]
    assert not hasattr(files, "anything")
    with pytest.raises(TypeError, match="not iterable"):
        list(files)
