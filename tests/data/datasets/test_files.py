"""Which files a dataset has, in which order, and where they stand in a mount."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlsteps import DataPath, Dataset, Datastore, FileDataset, Workspace
from mlsteps.data.datasets import files_of, is_single_file
from mlsteps.exceptions import DataNotFoundException, UserErrorException

Write = Callable[..., None]

FILES: dict[str, str | bytes] = {
    "animals/cat/1.jpg": "cat 1",
    "animals/cat/2.jpg": "cat two",
    "animals/dog/1.jpg": "dog 1",
    "animals/notes.txt": "",
    "animals2/x.jpg": "another",
}


def paths(dataset: FileDataset) -> list[str]:
    return dataset.to_path()


def test_a_folder_is_all_files_below_it_by_their_path_in_it(datastore: Datastore, put: Write) -> None:
    put(FILES)
    expected = ["/cat/1.jpg", "/cat/2.jpg", "/dog/1.jpg", "/notes.txt"]
    for path in ((datastore, "animals"), datastore.path("animals/"), DataPath(datastore, "animals")):
        assert paths(Dataset.File.from_files(path)) == expected


def test_a_pattern_is_what_it_matches_by_the_path_below_its_fixed_part(
    datastore: Datastore, put: Write
) -> None:
    put(FILES)
    assert paths(Dataset.File.from_files((datastore, "animals/**/1.jpg"))) == ["/cat/1.jpg", "/dog/1.jpg"]
    assert paths(Dataset.File.from_files((datastore, "animals*/*.jpg"))) == ["/animals2/x.jpg"]
    assert paths(Dataset.File.from_files((datastore, "animals/cat/?.jpg"))) == ["/1.jpg", "/2.jpg"]


def test_a_file_is_itself_by_its_name(datastore: Datastore, put: Write) -> None:
    put(FILES)
    dataset = Dataset.File.from_files((datastore, "animals/cat/2.jpg"), is_file=True)
    assert paths(dataset) == ["/2.jpg"]
    ((store, info, relative),) = files_of(dataset)
    assert (store.read(info.path), info.size, relative) == (b"cat two", 7, "2.jpg")


def test_several_sources_keep_the_path_on_the_datastore_and_name_a_file_once(
    datastore: Datastore, put: Write
) -> None:
    put(FILES)
    dataset = Dataset.File.from_files([(datastore, "animals/dog"), (datastore, "animals/**/1.jpg")])
    assert paths(dataset) == ["/animals/dog/1.jpg", "/animals/cat/1.jpg"]


def test_sources_on_several_datastores_have_the_datastores_names_in_front(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    stores = {"one": str(tmp_path / "one"), "other": str(tmp_path / "other")}
    config = {"default_datastore": "one", "datastores": stores}
    (folder / "workspace.yaml").write_text(yaml.safe_dump(config))
    workspace = Workspace(folder=folder)
    one, other = Datastore(workspace), Datastore(workspace, "other")
    one.store.write("x", b"1")
    other.store.write("x", b"2")
    dataset = Dataset.File.from_files([(one, "x"), (other, "x")])
    assert paths(dataset) == ["/one/x", "/other/x"]
    assert [store.read(info.path) for store, info, _ in files_of(dataset)] == [b"1", b"2"]
    assert paths(Dataset.File.from_files([(one, "x"), (Datastore(workspace, "one"), "x")])) == ["/x"]


def test_a_dataset_of_one_file_stands_as_a_file_and_any_other_as_a_folder(
    datastore: Datastore, put: Write
) -> None:
    put({"one/x.csv": "", "two/x.csv": ""})
    url = "https://example.com/x.csv"
    for path, single in [
        ((datastore, "one/x.csv"), True),
        (url, True),
        ((datastore, "one"), False),
        ((datastore, "one/*.csv"), False),
        ([(datastore, "one/x.csv"), (datastore, "two/x.csv")], False),
    ]:
        assert is_single_file(Dataset.File.from_files(path)) == single
    rows = Dataset.Tabular.from_delimited_files((datastore, "one/x.csv"))
    assert is_single_file(rows)
    assert not is_single_file(rows.to_csv_files())


def test_what_is_not_there_is_an_error_of_the_first_use_and_not_before(datastore: Datastore) -> None:
    for path, told in [("no/such", "path 'no/such'"), ("no/*.csv", "pattern 'no/\\*.csv'"), ("", "path '/'")]:
        dataset = Dataset.File.from_files((datastore, path), validate=True)
        with pytest.raises(DataNotFoundException, match=f"{told} on datastore '.+' is not there"):
            dataset.to_path()


def test_is_file_holds_for_a_file_only(datastore: Datastore, put: Write) -> None:
    put(FILES)
    with pytest.raises(UserErrorException, match="'animals' on datastore '.+' is a folder"):
        Dataset.File.from_files((datastore, "animals"), is_file=True).to_path()


def test_making_one_looks_nothing_up(tmp_path: Path) -> None:
    workspace = Workspace(conn_id="no_such_connection")
    dataset = Dataset.File.from_files((Datastore(workspace, "nowhere"), "a/**"))
    assert dataset.take(3).id and dataset.as_mount().name
    assert "id=" in repr(dataset)


def test_files_are_listed_one_by_one(
    datastore: Datastore, put: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    put({f"many/{number:03}": "" for number in range(100)})
    listed = 0
    real = type(datastore.store).list

    def counting(self: object, prefix: str = "") -> object:
        nonlocal listed
        for info in real(self, prefix):  # type: ignore[arg-type]
            listed += 1
            yield info

    monkeypatch.setattr(type(datastore.store), "list", counting)
    assert len(Dataset.File.from_files((datastore, "many")).take(2).to_path()) == 2
    assert listed <= 3


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("data/x.csv", "a local path, which other machines do not have. Upload it first"),
        ("wasbs://c@a.blob.core.windows.net/x", "Register the storage as a datastore"),
        ("https://example.com/*.csv?sig=geheim", "'https://example.com/\\*.csv' has a pattern"),
        ("https:///x", "has no host"),
        ("https://me:geheim@example.com/x", "'https://example.com/x' holds a user's name or password"),
        ([], "an empty list"),
        (3, "path must be datastore.path"),
        (["https://example.com/x", 3], "path must be datastore.path"),
        (DataPath(path_on_datastore="x"), "has no datastore"),
    ],
)
def test_paths_that_cannot_be_read_are_refused_with_advice(path: object, told: str) -> None:
    with pytest.raises(UserErrorException, match=told) as raised:
        Dataset.File.from_files(path)
    assert "geheim" not in str(raised.value)


def test_paths_are_of_one_workspace(datastore: Datastore, tmp_path: Path) -> None:
    other = Workspace(folder=tmp_path / "other").get_default_datastore()
    with pytest.raises(UserErrorException, match="of 2 workspaces"):
        Dataset.File.from_files([(datastore, "x"), (other, "x")])
    with pytest.raises(UserErrorException, match="'..' is not allowed"):
        Dataset.File.from_files((datastore, "../x"))
