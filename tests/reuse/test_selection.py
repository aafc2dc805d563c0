"""A part of a source directory: those files alone, as if the others were not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.snapshot_archive import extract
from mlsteps.reuse.digest_cache import DigestCache
from mlsteps.reuse.selection import select
from mlsteps.reuse.snapshot import take_snapshot
from mlsteps.reuse.snapshot_store import store_snapshot

FILES = ("train.py", "prepare.py", "common/a.py", "common/deep/b.py", "data/a.csv", "notes [old].txt")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "prepare.py").chmod(0o755)
    return folder


def selected(source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
    return select(take_snapshot(source), patterns).files


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["/train.py"], ["train.py"]),
        (["train.py", "common/"], ["common/a.py", "common/deep/b.py", "train.py"]),
        (["common"], ["common/a.py", "common/deep/b.py"]),
        (["a.py"], ["common/a.py"]),
        (["/common/*.py"], ["common/a.py"]),
        (["common/**/b.py"], ["common/deep/b.py"]),
        (["a.*"], ["common/a.py", "data/a.csv"]),
        (["*.py", "!prepare.py"], ["common/a.py", "common/deep/b.py", "train.py"]),
        (["common/*", "!a.py"], ["common/deep/b.py"]),
        ([r"notes \[old\].txt"], ["notes [old].txt"]),
        (["*"], sorted(FILES)),
    ],
)
def test_patterns_name_what_is_taken(source: Path, patterns: list[str], expected: list[str]) -> None:
    assert list(selected(source, patterns)) == expected


def test_without_patterns_it_is_the_same_snapshot(source: Path) -> None:
    snapshot = take_snapshot(source)
    assert select(snapshot, ()) is snapshot


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.sampled_from(FILES), min_size=1))
def test_a_selection_is_what_a_directory_of_these_files_alone_is(
    source: Path, tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    alone = tmp_path_factory.mktemp("alone")
    for name in names:
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, alone / name)
    escaped = [f"/{name}".replace("[", r"\[").replace("]", r"\]") for name in names]
    found, expected = select(take_snapshot(source), escaped), take_snapshot(alone)
    assert (found.digest, found.files, found.entries()) == (
        expected.digest,
        expected.files,
        expected.entries(),
    )
    assert (found.number_of_files, found.bytes) == (expected.number_of_files, expected.bytes)


def test_the_archive_holds_nothing_else(source: Path, tmp_path: Path) -> None:
    from mlsteps.data.stores import FolderStore

    store = FolderStore(tmp_path / "store")
    snapshot, archive = store_snapshot(
        source, store, "snapshots", tmp_path / "cache", only=["/prepare.py", "common/"]
    )
    extract(archive, tmp_path / "there")
    there = take_snapshot(tmp_path / "there")
    assert there.digest == snapshot.digest
    assert there.files == ("common/a.py", "common/deep/b.py", "prepare.py")
    assert os.access(tmp_path / "there" / "prepare.py", os.X_OK)


def test_only_the_files_that_were_selected_change_it(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    cache = DigestCache(tmp_path / "digests", worth=0)

    def digest() -> str:
        return select(take_snapshot(copy, cache), ["common/"]).digest

    before = digest()
    (copy / "train.py").write_text("changed")
    (copy / "new.py").write_text("new")
    (copy / "data" / "a.csv").unlink()
    assert digest() == before
    (copy / "common" / "new.py").write_text("new")
    assert digest() != before
    (copy / "common" / "new.py").unlink()
    assert digest() == before
    (copy / "common" / "a.py").chmod(0o755)
    assert digest() != before


@pytest.mark.parametrize(
    "pattern", ["trian.py", "/a.py", "missing/", "# a comment", "/", "*.ipynb", "train.py/", "ignored.py"]
)
def test_a_pattern_that_names_nothing_is_refused(source: Path, tmp_path: Path, pattern: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / "ignored.py").write_text("")
    (copy / ".amlignore").write_text("ignored.py\n")
    with pytest.raises(SnapshotException) as caught:
        selected(copy, ["train.py", pattern])
    assert f"{pattern!r} of source_files names no file" in str(caught.value)
    assert str(copy) in str(caught.value)


def test_a_pattern_that_takes_something_out_may_find_nothing(source: Path) -> None:
    assert selected(source, ["common/a.py", "!missing.py"]) == ("common/a.py",)


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_what_is_no_pattern_is_told(source: Path, pattern: str) -> None:
    with pytest.raises(SnapshotException, match="source_files"):
        selected(source, [pattern])


def test_links_are_taken_as_links_with_what_they_point_at(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / "common" / "link.py").symlink_to("deep/b.py")
    snapshot = select(take_snapshot(copy), ["common/link.py", "b.py"])
    assert [(entry.path, entry.kind) for entry in snapshot.entries()] == [
        ("common/deep/b.py", "file"),
        ("common/link.py", "link"),
    ]
    assert snapshot.bytes == len("common/deep/b.py")


def test_a_link_to_what_is_left_out_is_refused(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / "common" / "link.py").symlink_to("../data/a.csv")
    with pytest.raises(SnapshotException, match=r"link common/link\.py to '\.\./data/a\.csv'"):
        selected(copy, ["common/"])
    assert "common/link.py" in selected(copy, ["common/", "data/a.csv"])
    (copy / "common" / "folder").symlink_to("../data")
    assert "common/folder" in selected(copy, ["common/", "data/"])


def test_a_link_that_leads_over_others_takes_them_all(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / "first").symlink_to("second")
    (copy / "second").symlink_to("data/a.csv")
    (copy / "folder").symlink_to("data")
    (copy / "inside").symlink_to("folder/a.csv")
    for patterns in (["first", "data/"], ["first", "second"], ["inside", "data/"], ["inside", "folder"]):
        with pytest.raises(SnapshotException, match="Name that too"):
            selected(copy, patterns)
    for patterns in (["first", "second", "data/"], ["inside", "/folder", "data/"]):
        snapshot = select(take_snapshot(copy), patterns)
        assert len(snapshot.files) == 3
        alone = tmp_path / patterns[0]
        for name in snapshot.files:
            (alone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(copy / name, alone / name, follow_symlinks=False)
        assert take_snapshot(alone).digest == snapshot.digest
