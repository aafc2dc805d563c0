"""Copying files to and from a datastore."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mlsteps import Datastore, Workspace
from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException, WorkspaceException


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in ("a.txt", "sub/b.txt", "sub/ü.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def listed(datastore: Datastore, prefix: str = "") -> list[str]:
    return [info.path for info in datastore.store.list(prefix)]


def test_a_folder_is_uploaded_with_its_paths(datastore: Datastore, source: Path) -> None:
    reference = datastore.upload(str(source), "in/put", show_progress=False)
    assert listed(datastore) == ["in/put/a.txt", "in/put/sub/b.txt", "in/put/sub/ü.txt"]
    assert reference.path_on_datastore == "in/put"
    assert datastore.store.read("in/put/sub/ü.txt").decode() == "sub/ü.txt"


def test_without_a_target_it_goes_to_the_root(datastore: Datastore, source: Path) -> None:
    reference = datastore.upload(str(source), show_progress=False)
    assert reference.path_on_datastore == ""
    assert "a.txt" in listed(datastore)


def test_an_empty_folder_is_nothing_to_upload(datastore: Datastore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert datastore.upload(str(tmp_path / "empty"), "x", show_progress=False).path_on_datastore == "x"
    assert listed(datastore) == []


@pytest.mark.parametrize("missing", ["none", "a.txt"])
def test_what_is_no_folder_is_refused(datastore: Datastore, source: Path, missing: str) -> None:
    with pytest.raises(UserErrorException, match=f"{missing}' is not a folder"):
        datastore.upload(str(source / missing))


def test_the_common_folder_of_files_is_left_out(datastore: Datastore, source: Path) -> None:
    datastore.upload_files(
        [str(source / "sub/b.txt"), str(source / "a.txt")], target_path="x", show_progress=False
    )
    assert listed(datastore) == ["x/a.txt", "x/sub/b.txt"]
    datastore.upload_files([str(source / "sub/b.txt")], target_path="y", show_progress=False)
    assert listed(datastore, "y") == ["y/b.txt"]


def test_relative_root_is_the_part_that_is_left_out(
    datastore: Datastore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    datastore.upload_files(["sub/b.txt"], relative_root=".", show_progress=False)
    datastore.upload_files(["sub/../a.txt"], relative_root="..", show_progress=False)
    assert listed(datastore) == ["source/a.txt", "sub/b.txt"]
    with pytest.raises(UserErrorException, match="a.txt' is not below relative_root"):
        datastore.upload_files(["a.txt"], relative_root="sub")


def test_files_are_checked_before_any_is_copied(datastore: Datastore, source: Path) -> None:
    with pytest.raises(UserErrorException, match="none' is not a file"):
        datastore.upload_files([str(source / "a.txt"), str(source / "none")], show_progress=False)
    assert listed(datastore) == []
    with pytest.raises(UserErrorException, match="no files were given"):
        datastore.upload_files([])
    with pytest.raises(UserErrorException, match="files must be a list of paths"):
        datastore.upload_files(str(source / "a.txt"))
    with pytest.raises(UserErrorException, match="target_path"):
        datastore.upload(str(source), "../x")


def test_what_exists_is_left_and_named(
    datastore: Datastore, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datastore.store.write("x/a.txt", b"old")
    datastore.upload(str(source), "x")
    assert datastore.store.read("x/a.txt") == b"old"
    told = capsys.readouterr().err
    assert "x/a.txt exists, left as it is" in told
    assert "x/sub/b.txt" in told and "x/sub/b.txt exists" not in told
    datastore.upload(str(source), "x", overwrite=True)
    assert datastore.store.read("x/a.txt") == b"a.txt"
    assert "left" not in capsys.readouterr().err


def test_without_progress_what_was_left_is_logged(
    datastore: Datastore, source: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mlsteps")
    datastore.upload(str(source), "x", show_progress=False)
    assert caplog.messages == []
    datastore.upload(str(source), "x", show_progress=False)
    assert len(caplog.messages) == 3
    assert "x/a.txt exists, left as it is" in caplog.messages[0]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_and_the_files_that_were_left(
    datastore: Datastore, source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    datastore.store.write("x/a.txt", b"old")
    datastore.upload(str(source), "x")
    told = capsys.readouterr().err
    assert "Uploading to workspaceblobstore" in told
    assert "a.txt exists, left as it is" in told


def test_download_recreates_the_paths(datastore: Datastore, source: Path, tmp_path: Path) -> None:
    datastore.upload(str(source), "in", show_progress=False)
    target = tmp_path / "target"
    assert datastore.download(str(target), show_progress=False) == 3
    assert (target / "in/sub/ü.txt").read_text() == "sub/ü.txt"


@pytest.mark.parametrize(
    ("prefix", "count"), [("in/sub", 2), ("in/a.txt", 1), ("in/s", 0), (None, 3), ("none", 0)]
)
def test_download_of_a_part(
    datastore: Datastore, source: Path, tmp_path: Path, prefix: str | None, count: int
) -> None:
    datastore.upload(str(source), "in", show_progress=False)
    assert datastore.download(str(tmp_path / "t"), prefix, show_progress=False) == count
    assert sum(path.is_file() for path in (tmp_path / "t").rglob("*")) == count


def test_download_leaves_what_exists(
    datastore: Datastore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        datastore.store.write(name, b"there")
    (tmp_path / "a").write_text("here")
    assert datastore.download(str(tmp_path)) == 1
    assert (tmp_path / "a").read_text() == "here"
    told = capsys.readouterr().err
    assert f"{tmp_path / 'a'} exists, left as it is" in told
    assert "Downloading from workspaceblobstore" in told
    assert datastore.download(str(tmp_path), overwrite=True, show_progress=False) == 2
    assert (tmp_path / "a").read_text() == "there"


def test_an_interrupted_download_is_done_again(
    datastore: Datastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file must not be taken for one that exists."""
    datastore.store.write("a", b"x" * 100)
    open_whole = FolderStore.open

    def open_half(self: FolderStore, path: str):  # type: ignore[no-untyped-def]
        stream = open_whole(self, path)
        reads = iter([b"x" * 50])

        class Half:
            def __enter__(self) -> Half:
                return self

            def __exit__(self, *_: object) -> None:
                stream.close()

            def read(self, size: int = -1) -> bytes:
                for part in reads:
                    return part
                raise KeyboardInterrupt

        return Half()

    monkeypatch.setattr(FolderStore, "open", open_half)
    with pytest.raises(KeyboardInterrupt):
        datastore.download(str(tmp_path / "t"), show_progress=False)
    monkeypatch.undo()
    assert datastore.download(str(tmp_path / "t"), show_progress=False) == 1
    assert (tmp_path / "t/a").read_bytes() == b"x" * 100


def test_any_file_name_survives_the_way_there_and_back(datastore: Datastore, tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.mkdir()
    names = ["a\\b", "a b", "[bold]x[red]", "日本", "x\ny", "#%?"]
    for name in names:
        (source / name).write_text(name)
    datastore.upload(str(source), "x")
    assert datastore.download(str(tmp_path / "t"), "x") == len(names)
    assert sorted(os.listdir(tmp_path / "t/x")) == sorted(names)


def test_a_handle_looks_nothing_up(workspace: Workspace) -> None:
    datastore = Datastore(workspace, "nowhere")
    assert datastore.path("x").datastore is datastore
    assert (datastore.name, datastore.serialize(), repr(datastore)) == (
        "nowhere",
        "nowhere",
        "Datastore('nowhere')",
    )
    with pytest.raises(WorkspaceException, match="no datastore 'nowhere'; it has workspaceblobstore"):
        datastore.upload_files([__file__])
    with pytest.raises(WorkspaceException, match="no datastore 'nowhere'"):
        datastore.download("x")


def test_the_default_one(workspace: Workspace) -> None:
    assert Datastore(workspace).declared_name is None
    assert Datastore.get_default(workspace).name == "workspaceblobstore"
    assert Datastore.get(workspace, "x").name == "x"
    assert Datastore(workspace).serialize() == "default"


@pytest.mark.parametrize("name", ["", 3, b"x"])
def test_a_name_is_a_text(workspace: Workspace, name: object) -> None:
    with pytest.raises(UserErrorException, match="name is a text"):
        Datastore(workspace, name)  # type: ignore[arg-type]
