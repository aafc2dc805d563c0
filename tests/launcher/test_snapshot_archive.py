"""Snapshots come out as they went in, and never reach outside of their directory."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.snapshot_archive import extract, write_archive

LINK = (stat.S_IFLNK | 0o777) << 16
FILE = (stat.S_IFREG | 0o644) << 16

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))


def forge(path: Path, *entries: tuple[str, str, int]) -> Path:
    """Write a zip file with any names and modes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, attributes in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            info.create_system = 3
            info.external_attr = attributes
            archive.writestr(info, content)
    return path


def outside(root: Path) -> list[str]:
    """Return everything beside the archive and the target directory."""
    return sorted(path.name for path in root.iterdir() if path.name not in ("s.zip", "target"))


def test_files_modes_links_and_folders_come_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "run").write_bytes(b"#!/bin/sh\n")
    (source / "bin" / "run").chmod(0o700)
    (source / "übung.txt").write_bytes(b"\0\1" * 100_000)
    (source / "link").symlink_to("bin/run")
    (source / "folder-link").symlink_to("bin")
    (source / "empty").mkdir()
    write_archive(
        [(path.name, path) for path in source.iterdir() if path.name != "bin"]
        + [("bin/run", source / "bin" / "run")],
        tmp_path / "s.zip",
    )
    target = tmp_path / "made" / "target"
    extract(tmp_path / "s.zip", target)
    assert (target / "übung.txt").read_bytes() == b"\0\1" * 100_000
    assert os.access(target / "bin" / "run", os.X_OK)
    assert not (target / "übung.txt").stat().st_mode & 0o111
    assert os.readlink(target / "link") == "bin/run"
    assert (target / "folder-link" / "run").exists()
    assert list((target / "empty").iterdir()) == []


def test_an_archive_depends_on_names_bytes_and_executable_bits_only(tmp_path: Path) -> None:
    archives = []
    for index, mode in enumerate((0o644, 0o600, 0o755)):
        folder = tmp_path / str(index)
        folder.mkdir()
        for name in ("b", "a"):
            (folder / name).write_text(name)
            (folder / name).chmod(mode)
            os.utime(folder / name, (index * 10**8, index * 10**8))
        files = [(name, folder / name) for name in ("a", "b")]
        write_archive(files if index else reversed(files), folder / "s.zip")
        archives.append((folder / "s.zip").read_bytes())
    assert archives[0] == archives[1] != archives[2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=50), max_size=4))
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "source").mkdir()
    for index, content in enumerate(files.values()):
        (folder / "source" / str(index)).write_bytes(content)
    named = [(name, folder / "source" / str(index)) for index, name in enumerate(files)]
    write_archive(named, folder / "s.zip")
    extract(folder / "s.zip", folder / "target")
    assert {path.name: path.read_bytes() for path in (folder / "target").iterdir()} == files


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "a/..", "..", ".", "./a", "a//b", "/", "//evil", "a/./b"]
)
def test_a_name_that_is_not_plain_is_refused(tmp_path: Path, name: str) -> None:
    forge(tmp_path / "s.zip", (name, "evil", FILE))
    with pytest.raises(SnapshotException, match="not a plain relative path"):
        extract(tmp_path / "s.zip", tmp_path / "target")
    assert outside(tmp_path) == []
    with pytest.raises(SnapshotException):
        write_archive([(name, tmp_path / "s.zip")], tmp_path / "new.zip")
    assert outside(tmp_path) == []


@pytest.mark.parametrize(
    "links",
    [
        [("l", "/etc/passwd")],
        [("l", "..")],
        [("l", "../other")],
        [("d/l", "../../other")],
        [("l", "")],
        [("here", "."), ("l", "here/here/../../other")],
        [("l", "here/here/../../other"), ("here", ".")],
        [("d/up", ".."), ("l", "d/up/..")],
    ],
)
def test_a_link_that_leads_out_is_refused(tmp_path: Path, links: list[tuple[str, str]]) -> None:
    entries = [(name, target, LINK) for name, target in links]
    forge(tmp_path / "s.zip", ("d/file", "", FILE), *entries)
    with pytest.raises(SnapshotException, match="link"):
        extract(tmp_path / "s.zip", tmp_path / "target")
    assert not [path for path in (tmp_path / "target").rglob("*") if path.is_symlink()]


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    forge(tmp_path / "s.zip", ("l", "../victim", LINK), ("l/evil", "evil", FILE))
    with pytest.raises(SnapshotException):
        extract(tmp_path / "s.zip", tmp_path / "target")
    (tmp_path / "target" / "l" / "evil").unlink()
    (tmp_path / "target" / "l").rmdir()
    (tmp_path / "target" / "l").symlink_to("../victim")  # one that was there before
    forge(tmp_path / "s.zip", ("l/evil", "evil", FILE))
    with pytest.raises(SnapshotException, match="outside"):
        extract(tmp_path / "s.zip", tmp_path / "target")
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        forge(tmp_path / "s.zip", ("a", "1", FILE), ("a", "2", FILE))
    with pytest.raises(SnapshotException, match="twice"):
        extract(tmp_path / "s.zip", tmp_path / "target")
    with pytest.raises(SnapshotException, match="twice"):
        write_archive([("a", tmp_path / "s.zip"), ("a", tmp_path / "s.zip")], tmp_path / "t.zip")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = forge(tmp_path / "s.zip", ("a", "content" * 100, FILE))
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(SnapshotException, match="broken"):
        extract(path, tmp_path / "target")


def test_what_cannot_be_packed_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "missing"):
        with pytest.raises(SnapshotException, match=name):
            write_archive([(name, tmp_path / name)], tmp_path / "s.zip")
    assert outside(tmp_path) == ["fifo"]
    assert not (tmp_path / "s.zip").exists()
