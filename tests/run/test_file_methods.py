from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlsteps.exceptions import UserErrorException
from mlsteps.run import Run
from mlsteps.run.files import clean_name
from mlsteps.run.protocol import Event

Read = Callable[..., list[Event]]


@pytest.fixture(autouse=True)
def files() -> None:
    for path in ("outputs/a.txt", "logs/deep/b.log", "folder/x/c.txt", "folder/d.txt", "model.pkl"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


def test_upload_file(run: Run, journal: Read, tmp_path: Path) -> None:
    run.upload_file("./outputs//model.pkl", "model.pkl", datastore_name="blob")
    run.upload_file("text", io.StringIO("grün"))
    run.upload_file("bytes", io.BytesIO(b"123"))
    first, text, _ = journal("upload")
    assert (first["name"], first["size"], first["datastore"]) == ("outputs/model.pkl", 9, "blob")
    assert (tmp_path / "run" / first["path"]).read_text() == "model.pkl"
    assert (tmp_path / "run" / text["path"]).read_bytes() == "grün".encode()
    assert run.get_file_names() == ["bytes", "logs/deep/b.log", "outputs/a.txt", "outputs/model.pkl", "text"]


@pytest.mark.parametrize("name", ["/abs", "../up", "a/../../b", "", ".", "./", "C:/x", "..\\up", "a\0b"])
def test_names_stay_inside(run: Run, name: str) -> None:
    with pytest.raises(UserErrorException, match="cannot name a file"):
        run.upload_file(name, "model.pkl")


def test_one_spelling() -> None:
    assert clean_name(".\\outputs\\.//x") == clean_name(Path("outputs/x")) == "outputs/x"


def test_a_name_is_used_once(run: Run) -> None:
    run.upload_file("a/b", "model.pkl")
    for taken in ("a/b", "a", "a/b/c"):
        with pytest.raises(UserErrorException, match="already has"):
            run.upload_file(taken, "model.pkl")
    assert run.parent is not None
    run.parent.upload_file("a/b", "folder/d.txt")
    run.parent.download_file("a/b", "of_parent")
    assert Path("of_parent").read_text() == "folder/d.txt"


def test_one_of_many_threads_gets_the_name(run: Run) -> None:
    def upload(number: int) -> bool:
        try:
            run.upload_file("same", io.BytesIO(bytes([number]) * 100_000))
        except UserErrorException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(upload, range(8))) == 1
    run.download_file("same")
    assert len(set(Path("same").read_bytes())) == 1


def test_a_failed_upload_leaves_the_name_free(run: Run, journal: Read) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run.upload_file("x", Breaks())
    for wrong in ("absent", "folder", 3):
        with pytest.raises(UserErrorException):
            run.upload_file("x", wrong)  # type: ignore[arg-type]
    assert journal() == []
    run.upload_file("x", "model.pkl")


def test_upload_files(run: Run) -> None:
    assert run.upload_files(["a", "b"], ["model.pkl", Path("folder/d.txt")], return_artifacts=True) == [
        "a",
        "b",
    ]
    assert run.upload_files(["c"], ["model.pkl"]) is None
    for names, paths in (
        (["d"], ["model.pkl", "folder/d.txt"]),
        (["d", "d"], ["model.pkl", "model.pkl"]),
        (["d", "e"], ["model.pkl", "absent"]),
        (["d", "a"], ["model.pkl", "model.pkl"]),
        ("d", "m"),
    ):
        with pytest.raises(UserErrorException):
            run.upload_files(names, paths)
    assert run.get_file_names() == ["a", "b", "c", "logs/deep/b.log", "outputs/a.txt"]


def test_upload_folder(run: Run) -> None:
    os.symlink("..", "folder/x/around")
    run.upload_folder("up", "folder")
    assert [name for name in run.get_file_names() if name.startswith("up")] == ["up/d.txt", "up/x/c.txt"]
    Path("empty").mkdir()
    for path, message in (("absent", "not there"), ("model.pkl", "upload_file"), ("empty", "no file")):
        with pytest.raises(UserErrorException, match=message):
            run.upload_folder("other", path)


def test_download_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.upload_file("models/m.pkl", "model.pkl")
    run.download_file("models/m.pkl")
    assert Path("m.pkl").read_text() == "model.pkl"
    run.download_file("outputs/a.txt", "new/place.txt")
    assert Path("new/place.txt").read_text() == "outputs/a.txt"
    run.download_file("logs/deep/b.log", "new")
    assert Path("new/b.log").exists()
    run.download_file("outputs/a.txt", "outputs/a.txt")
    with pytest.raises(UserErrorException, match=r"It has 'logs/deep/b\.log', 'models/m.pkl'"):
        run.download_file("absent")


def test_files_are_of_the_steps_folder_wherever_the_script_goes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("folder")
    assert run.get_file_names() == ["logs/deep/b.log", "outputs/a.txt"]


def test_an_upload_counts_before_the_outputs(run: Run) -> None:
    run.upload_file("outputs/a.txt", "model.pkl")
    run.download_file("outputs/a.txt", "got")
    assert Path("got").read_text() == "model.pkl"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["logs/deep/b.log", "outputs/a.txt", "up/d.txt", "up/x/c.txt"]),
        ({"prefix": "up"}, ["up/d.txt", "up/x/c.txt"]),
        ({"prefix": "up/", "append_prefix": False}, ["d.txt", "x/c.txt"]),
        ({"prefix": "up/x", "output_paths": ["z"]}, ["z"]),
    ],
)
def test_download_files(run: Run, arguments: dict[str, Any], expected: list[str]) -> None:
    run.upload_folder("up", "folder")
    run.download_files(output_directory="got", **arguments)
    found = [str(path.relative_to("got")) for path in Path("got").rglob("*") if path.is_file()]
    assert sorted(found) == expected


def test_download_files_refuses(run: Run) -> None:
    with pytest.raises(UserErrorException, match="no file below 'out'"):
        run.download_files("out")
    with pytest.raises(UserErrorException, match="output_paths"):
        run.download_files("outputs", output_paths=["a", "b"])
    assert run.parent is not None
    with pytest.raises(UserErrorException, match="none yet"):
        run.parent.download_file("outputs/a.txt")
