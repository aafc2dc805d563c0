"""A manifest tells exactly what an output holds, and refuses what cannot be published."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.exceptions import DataNotFoundException, UserErrorException
from mlsteps.launcher.digest import digest_bytes
from mlsteps.launcher.manifest import FileEntry, Manifest, build_manifest, read_manifest, write_manifest

parts = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=6).filter(
    lambda part: part not in (".", "..")
)
file_entries = st.lists(
    st.builds(
        FileEntry,
        path=st.lists(parts, min_size=1, max_size=3).map("/".join),
        size=st.integers(0, 2**50),
        digest=st.binary(max_size=8).map(digest_bytes),
    ),
    unique_by=lambda entry: entry.path,
    max_size=6,
)


@given(file_entries)
def test_a_manifest_survives_json(files: list[FileEntry]) -> None:
    manifest = Manifest.of("directory", tuple(files))
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.number_of_files == len(files)
    assert manifest.bytes == sum(entry.size for entry in files)


def test_a_directory_is_listed_in_order_with_odd_names(tmp_path: Path) -> None:
    names = ["b", "a b/ü\n.txt", "a/x", "a-", "日本", '"quoted"\\', ".hidden"]
    for name in names:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    (tmp_path / "out" / os.fsdecode(b"not-utf8-\xff")).write_text("?")
    manifest = build_manifest(tmp_path / "out")
    assert manifest.kind == "directory"
    assert [entry.path for entry in manifest.files] == sorted([*names, "not-utf8-\udcff"])
    assert manifest.files[0] == FileEntry('"quoted"\\', 9, digest_bytes(b'"quoted"\\'))
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_entry_of_a_single_file_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"model")
    manifest = build_manifest(tmp_path / "model.pkl")
    assert manifest == Manifest(
        "file", (FileEntry("", 5, digest_bytes(b"model")),), digest_bytes(b"model"), 5
    )
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_an_empty_directory_is_an_output(tmp_path: Path) -> None:
    (tmp_path / "out" / "also empty").mkdir(parents=True)
    manifest = build_manifest(tmp_path / "out")
    assert (manifest.number_of_files, manifest.bytes) == (0, 0)
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_equal_content_elsewhere_has_an_equal_digest(tmp_path: Path) -> None:
    for place in ("one", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "f").write_text("same")
    assert build_manifest(tmp_path / "one") == build_manifest(tmp_path / "other")


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundException, match="nowhere"):
        build_manifest(tmp_path / "nowhere")


def test_links_inside_are_followed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "v1").mkdir(parents=True)
    (out / "v1" / "f").write_text("data")
    (out / "latest").symlink_to("v1")
    (out / "g").symlink_to("latest/f")
    (tmp_path / "link-to-out").symlink_to(out)
    manifest = build_manifest(tmp_path / "link-to-out")
    assert [entry.path for entry in manifest.files] == ["g", "latest/f", "v1/f"]
    assert {entry.digest for entry in manifest.files} == {digest_bytes(b"data")}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nowhere", "does not exist"),
        ("..", "outside"),
        ("../other", "outside"),
        (".", "leads back"),
        ("l", "exist"),
    ],
)
def test_other_links_are_refused_by_name(tmp_path: Path, target: str, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "other").write_text("")
    (tmp_path / "out" / "l").symlink_to(target)
    with pytest.raises(UserErrorException, match=f"out/l.*{text}"):
        build_manifest(tmp_path / "out")


def test_special_files_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UserErrorException, match=r"fifo.*a named pipe"):
        build_manifest(tmp_path)
    with pytest.raises(UserErrorException, match=r"fifo.*a named pipe"):
        build_manifest(tmp_path / "fifo")
    (tmp_path / "fifo").unlink()
    monkeypatch.chdir(tmp_path)  # the path of a socket is limited to some hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        with pytest.raises(UserErrorException, match=r"sock.*a socket"):
            build_manifest(tmp_path)


def test_a_manifest_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("data")
    manifest = build_manifest(tmp_path)
    write_manifest(tmp_path / "made" / "m.json", manifest)
    assert read_manifest(tmp_path / "made" / "m.json") == manifest
    with pytest.raises(DataNotFoundException, match="no manifest"):
        read_manifest(tmp_path / "none.json")


GOOD = json.loads(Manifest.of("directory", (FileEntry("a", 1, digest_bytes(b"a")),)).to_json())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "version 2"),
        ({"kind": "mlsteps-job"}, "Expected a mlsteps-manifest"),
        ({"content": "socket"}, "socket"),
        ({"content": "file"}, "one entry"),
        ({"bytes": 2}, "altered"),
        ({"bytes": True}, "bytes"),
        ({"digest": "sha256t:0"}, "altered"),
        ({"surprise": 1}, "surprise"),
        ({"files": None}, "files"),
        ({"files": [3]}, r"files\[0\]"),
        ({"files": [{**GOOD["files"][0], "path": "../a"}]}, "../a"),
        ({"files": [{**GOOD["files"][0], "path": "/a"}]}, "/a"),
        ({"files": [{**GOOD["files"][0], "size": -1}]}, "wrong size"),
        ({"files": [{**GOOD["files"][0], "digest": "md5:1"}]}, "digest"),
        ({"files": [{**GOOD["files"][0], "mode": 1}]}, "mode"),
        ({"files": GOOD["files"] * 2}, "same path"),
    ],
)
def test_a_changed_manifest_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(UserErrorException, match=text):
        Manifest.from_json(json.dumps({**GOOD, **change}))


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"kind": NaN}', '{"kind": "a", "kind": "a"}', "[" * 99999]
)
def test_what_is_not_a_manifest_is_refused(text: str) -> None:
    with pytest.raises(UserErrorException):
        Manifest.from_json(text)
