"""The content of data on disk: that of its manifest, whether hashed or remembered."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.data.stores.folder import FolderStore
from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException
from mlsteps.launcher import atomic
from mlsteps.launcher.manifest import build_manifest
from mlsteps.reuse import digest_cache
from mlsteps.reuse.content import TreeContent, content_of
from mlsteps.reuse.digest_cache import DigestCache
from processes import folder_for_everybody, unprivileged


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DigestCache:
    """One that remembers everything at once, as its clock is ahead."""
    monkeypatch.setattr(digest_cache, "_now", lambda: time.time_ns() + 60 * 10**9)
    return DigestCache(tmp_path / "cache", worth=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))


def paths(content: TreeContent) -> list[str]:
    return [entry.path for entry in content.manifest().files]


def has_manifest(path: Path, cache: DigestCache | None) -> bool:
    """Whether what is told of it is what its manifest says; hashed, and then remembered."""
    manifest = build_manifest(path)
    for content in (content_of(path, cache), content_of(path, cache)):
        told = (content.kind, content.digest, content.number_of_files, content.bytes, content.manifest())
        if told != (manifest.kind, manifest.digest, manifest.number_of_files, manifest.bytes, manifest):
            return False
    return True


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=5
).filter(lambda name: name not in (".", ".."))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.binary(max_size=9), max_size=6))
def test_the_content_is_that_of_the_manifest(
    tmp_path_factory: pytest.TempPathFactory, cache: DigestCache, tree: dict[tuple[str, ...], bytes]
) -> None:
    folder = tmp_path_factory.mktemp("x")
    for parts, content in tree.items():
        try:
            folder.joinpath(*parts[:-1]).mkdir(parents=True, exist_ok=True)
            folder.joinpath(*parts).write_bytes(content)
        except OSError:  # a file where another path has a folder
            continue
    assert has_manifest(folder, cache)
    assert has_manifest(folder, None)


def test_names_that_are_no_text_are_those_of_the_manifest(data: Path, cache: DigestCache) -> None:
    fill(data, os.fsdecode(b"not-utf8-\xff"), "ü", "a-b", "a/b", "x\ny")
    assert has_manifest(data, cache)


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_a_single_file(data: Path, cache: DigestCache, size: int) -> None:
    (data / "model.pkl").write_bytes(bytes(size))
    (data / "link").symlink_to("model.pkl")
    assert has_manifest(data / "model.pkl", cache)
    assert content_of(data / "link", cache) == content_of(data / "model.pkl", cache)


def test_an_empty_folder_counts_as_one_without_files(data: Path, cache: DigestCache) -> None:
    (data / "also empty").mkdir()
    assert has_manifest(data, cache)
    assert content_of(data, cache).number_of_files == 0


def test_equal_data_elsewhere_is_equal_whatever_its_times(
    data: Path, tmp_path: Path, cache: DigestCache
) -> None:
    fill(data, "a", "sub/b")
    other = shutil.copytree(data, tmp_path / "other", copy_function=shutil.copyfile)
    os.utime(other / "a", (1, 1))
    for _ in range(2):
        assert content_of(data, cache) == content_of(other, cache)


def test_links_inside_are_followed(data: Path, tmp_path: Path, cache: DigestCache) -> None:
    fill(data, "v1/f")
    (data / "latest").symlink_to("v1")
    (data / "g").symlink_to("latest/f")
    (tmp_path / "link").symlink_to(data)
    assert has_manifest(tmp_path / "link", cache)
    assert paths(content_of(data, cache)) == ["g", "latest/f", "v1/f"]
    (data / "v1/f").write_text("other")
    assert has_manifest(data, cache)
    (data / "g").unlink()
    (data / "g").symlink_to(data / "v1/f")
    assert has_manifest(data, cache)


def message(call: object, path: Path, *arguments: object) -> tuple[type[MlstepsException], str]:
    with pytest.raises(MlstepsException) as caught:
        call(path, *arguments)  # type: ignore[operator]
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("target", ["nowhere", "..", "../other", ".", "l", "/etc/hostname", "sub/up"])
def test_links_that_cannot_be_published_are_refused_as_by_a_manifest(
    data: Path, cache: DigestCache, target: str
) -> None:
    fill(data, "a", "../other", "sub/b")
    (data / "sub/up").symlink_to("..")
    if target != "sub/up":
        (data / "sub/up").unlink()
    content_of(data.parent / "other", cache)
    (data / "l").symlink_to(target)
    error = message(content_of, data, cache)
    assert error[0] is UserErrorException
    assert error == message(build_manifest, data)


def test_a_link_that_breaks_is_refused_though_all_was_remembered(data: Path, cache: DigestCache) -> None:
    fill(data, "a", "b")
    (data / "l").symlink_to("a")
    content_of(data, cache)
    (data / "a").unlink()
    assert message(content_of, data, cache) == message(build_manifest, data)


@pytest.mark.parametrize("path", ["pipe", "."])
@pytest.mark.parametrize("anywhere", [False, True])
def test_special_files_are_refused_as_by_a_manifest(data: Path, path: str, anywhere: bool) -> None:
    os.mkfifo(data / "pipe")
    with pytest.raises(UserErrorException, match="pipe' is a named pipe"):
        content_of(data / path, None, follow_links_anywhere=anywhere)


def test_nothing_there_is_an_error(data: Path, cache: DigestCache) -> None:
    (data / "l").symlink_to("nowhere")
    for name in ("none", "l"):
        error = message(content_of, data / name, cache)
        assert error[0] is DataNotFoundException
        assert error == message(build_manifest, data / name)


@pytest.mark.parametrize("what", ["a", "sub"])
def test_what_cannot_be_read_is_named(what: str) -> None:
    with folder_for_everybody() as folder:
        fill(folder, "a", "sub/b")
        os.chmod(folder / what, 0)
        with unprivileged():
            error = message(content_of, folder)
            assert error == message(build_manifest, folder)
            assert what in error[1]
        os.chmod(folder / what, 0o700)


def test_links_anywhere_are_followed_where_that_is_the_owner_s_business(
    tmp_path: Path, cache: DigestCache
) -> None:
    owner = tmp_path / "owner"
    data = owner / "data"
    fill(data, "a", "sub/b")
    fill(owner, "elsewhere/c", "elsewhere/deep/d", "single")
    (data / "folder").symlink_to(owner / "elsewhere")
    (data / "file").symlink_to("../single")
    (data / "dangling").symlink_to("nowhere")
    (data / "sub/loop").symlink_to("..")
    (owner / "elsewhere/back").symlink_to(owner)
    with atomic.replacing(data / "unfinished"):
        (data / ".other.17-0123456789ab.tmp").symlink_to(owner / "single")
        (data / ".kept.tmp").touch()
        for _ in range(2):
            content = content_of(data, cache, follow_links_anywhere=True)
            found = paths(content)
            assert found == sorted(info.path for info in FolderStore(data).list())
    assert set(found) >= {
        "a",
        "sub/b",
        "folder/c",
        "folder/deep/d",
        "file",
        ".kept.tmp",
        "folder/back/single",
    }
    (data / "unfinished").unlink()
    (data / "self").symlink_to("self")
    assert content_of(data, cache, follow_links_anywhere=True) == content
    (owner / "elsewhere/c").write_text("changed")
    assert content_of(data, cache, follow_links_anywhere=True).digest != content.digest


def test_unfinished_files_of_an_output_are_part_of_it(data: Path, cache: DigestCache) -> None:
    fill(data, "a", ".b.17-0123456789ab.tmp")
    assert has_manifest(data, cache)
    assert content_of(data, cache).number_of_files == 2


def test_the_files_of_a_tree_that_changed_since_are_told_as_they_were_or_not_at_all(
    data: Path, cache: DigestCache
) -> None:
    fill(data, "a", "b")
    manifest = build_manifest(data)
    content_of(data, cache)
    before = content_of(data, cache)
    time.sleep(0.02)  # for another change time
    (data / "a").write_text("A")
    assert before.manifest() == manifest
    changed = content_of(data, cache)
    assert changed.manifest() == build_manifest(data)
    again = content_of(data, cache)
    shutil.rmtree(cache.folder)
    (data / "a").write_text("B")
    with pytest.raises(MlstepsException, match="changed while"):
        again.manifest()


def test_two_contents_are_equal_whatever_they_were_made_of(data: Path, cache: DigestCache) -> None:
    fill(data, "a")
    content = content_of(data, cache)
    assert content == content_of(data, cache) == content_of(data)
    assert "cache" not in repr(content)
