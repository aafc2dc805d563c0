"""Registered datasets: names, versions, tags and ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps import Dataset, Datastore, FileDataset, TabularDataset, Workspace
from mlsteps.data.datasets import keep
from mlsteps.exceptions import UserErrorException


def files(datastore: Datastore, path: str = "a") -> FileDataset:
    return Dataset.File.from_files((datastore, path))


def test_a_registered_dataset_is_found_by_name_and_by_id(workspace: Workspace, datastore: Datastore) -> None:
    dataset = files(datastore)
    assert (dataset.name, dataset.version, dataset.description, dataset.tags) == (None, None, None, {})
    registered = dataset.register(workspace, "my data", "what it is", {"year": "2020"})
    assert dataset.name is None
    for found in (
        registered,
        Dataset.get_by_name(workspace, "my data"),
        Dataset.get_by_name(workspace, name="my data", version=1),
        FileDataset.get_by_name(workspace, "my data", version="1"),
        Dataset.get_by_id(workspace, dataset.id),
    ):
        assert type(found) is FileDataset
        assert (found.name, found.version, found.description) == ("my data", 1, "what it is")
        assert (found.tags, found.id, found) == ({"year": "2020"}, dataset.id, dataset)
    assert repr(registered) == "FileDataset('my data', version=1)"


def test_another_definition_needs_leave_to_be_a_version(workspace: Workspace, datastore: Datastore) -> None:
    files(datastore, "a").register(workspace, "x")
    with pytest.raises(UserErrorException, match=r"another dataset called 'x' \(version 1\)"):
        files(datastore, "b").register(workspace, "x")
    second = files(datastore, "b").register(workspace, "x", create_new_version=True)
    assert second.version == 2
    assert Dataset.get_by_name(workspace, "x") == files(datastore, "b")
    assert Dataset.get_by_name(workspace, "x", 1) == files(datastore, "a")
    assert files(datastore, "a").register(workspace, "x", create_new_version=True).version == 3


def test_the_same_definition_is_the_same_version(workspace: Workspace, datastore: Datastore) -> None:
    files(datastore).register(workspace, "x", "old", {"a": "1"})
    again = files(datastore).register(workspace, "x", create_new_version=True)
    assert (again.version, again.description, again.tags) == (1, "old", {"a": "1"})
    told = files(datastore).register(workspace, "x", "new")
    assert (told.version, told.description, told.tags) == (1, "new", {"a": "1"})


def test_all_datasets_are_listed_newest(workspace: Workspace, datastore: Datastore) -> None:
    assert Dataset.get_all(workspace) == {}
    files(datastore, "a").register(workspace, "x y")
    files(datastore, "b").register(workspace, "x y", create_new_version=True)
    Dataset.Tabular.from_parquet_files((datastore, "p")).register(workspace, "rows")
    found = Dataset.get_all(workspace)
    assert list(found) == ["rows", "x y"]
    assert isinstance(found["rows"], TabularDataset)
    assert found["x y"].version == 2


def test_tags_and_description_change_in_the_registry(workspace: Workspace, datastore: Datastore) -> None:
    dataset = files(datastore).register(workspace, "x", tags={"a": "1"})
    dataset.add_tags({"b": 2}).remove_tags(["a", "none"]).update(description="d")
    for found in (dataset, Dataset.get_by_name(workspace, "x")):
        assert (found.tags, found.description) == ({"b": "2"}, "d")
    dataset.update(tags={"c": "3"})
    assert Dataset.get_by_name(workspace, "x").tags == {"c": "3"}
    dataset.tags["d"] = "4"
    assert dataset.tags == {"c": "3"}
    with pytest.raises(UserErrorException, match="a dict of texts"):
        dataset.add_tags(["a"])  # type: ignore[arg-type]


def test_an_unregistered_name_is_free_and_its_id_known(workspace: Workspace, datastore: Datastore) -> None:
    dataset = files(datastore).register(workspace, "x")
    other = Dataset.get_by_name(workspace, "x")
    dataset.unregister_all_versions()
    assert dataset.name is None
    with pytest.raises(UserErrorException, match="no dataset is called 'x'"):
        Dataset.get_by_name(workspace, "x")
    with pytest.raises(UserErrorException, match="'x', version 1, is no longer registered"):
        other.add_tags({"a": "b"})
    by_id = Dataset.get_by_id(workspace, dataset.id)
    assert (by_id, by_id.name) == (dataset, None)
    assert files(datastore, "b").register(workspace, "x").version == 1


def test_what_a_step_reads_is_found_by_its_id(workspace: Workspace, datastore: Datastore) -> None:
    dataset = files(datastore).take(3)
    assert keep(dataset, workspace) == dataset.id
    found = Dataset.get_by_id(workspace, dataset.id)
    assert (found, found.name) == (dataset, None)
    dataset.register(workspace, "now named")
    keep(dataset, workspace)
    assert Dataset.get_by_id(workspace, dataset.id).name == "now named"


def test_subsets_of_a_registered_dataset_have_no_name(workspace: Workspace, datastore: Datastore) -> None:
    assert files(datastore).register(workspace, "x").take(3).name is None


def test_what_is_not_there_is_told_with_what_is(workspace: Workspace, datastore: Datastore) -> None:
    with pytest.raises(UserErrorException, match="no dataset is called 'x'; workspace '.+' has none"):
        Dataset.get_by_name(workspace, "x")
    files(datastore).register(workspace, "y")
    with pytest.raises(UserErrorException, match="no dataset is called 'x'; workspace '.+' has y"):
        Dataset.get_by_name(workspace, "x")
    with pytest.raises(UserErrorException, match="'y' has no version 7; it has 1, and 'latest'"):
        Dataset.get_by_name(workspace, "y", 7)
    with pytest.raises(UserErrorException, match="no dataset with the id '123'.*has y"):
        Dataset.get_by_id(workspace, "123")
    for version in (1.5, "newest", True):
        with pytest.raises(UserErrorException, match="a number or 'latest'"):
            Dataset.get_by_name(workspace, "y", version)  # type: ignore[arg-type]
    for name in ("", None):
        with pytest.raises(UserErrorException, match="name is a text"):
            files(datastore).register(workspace, name)  # type: ignore[arg-type]


def test_a_dataset_is_registered_where_its_datastores_are(
    workspace: Workspace, datastore: Datastore, tmp_path: Path
) -> None:
    with pytest.raises(UserErrorException, match="names datastores of workspace"):
        files(datastore).register(Workspace(folder=tmp_path / "other"), "x")
    assert Dataset.File.from_files("https://example.com/x").register(workspace, "web").version == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://a.blob.core.windows.net/c/x?sv=1&sig=geheim",
        "https://example.com/x?api_key=geheim",
        "https://b.s3.amazonaws.com/x?X-Amz-Signature=geheim",
    ],
)
def test_a_signature_is_not_written_down(workspace: Workspace, url: str) -> None:
    rows = Dataset.Tabular.from_delimited_files(url).take(3)
    for dataset in (rows, rows.to_csv_files()):
        with pytest.raises(UserErrorException, match="holds a key or signature") as raised:
            dataset.register(workspace, "x")
        assert "geheim" not in str(raised.value)
        with pytest.raises(UserErrorException, match="holds a key or signature"):
            keep(dataset, workspace)
        assert "geheim" not in repr(dataset)
