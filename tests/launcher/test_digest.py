"""Digests depend on the content alone, and distinguish all that differs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException
from mlsteps.launcher import digest
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes, digest_file, digest_files, digest_tree

entries = st.lists(
    st.tuples(st.text(max_size=8), st.integers(0, 2**40), st.text("0123456789abcdef", max_size=8)),
    unique_by=lambda entry: entry[0],
    max_size=6,
)


def test_the_format_is_as_documented() -> None:
    data = b"x" * (CHUNK_SIZE + 1)
    header = b"mlsteps.file/1\n" + CHUNK_SIZE.to_bytes(8, "big") + len(data).to_bytes(8, "big")
    chunks = hashlib.sha256(data[:CHUNK_SIZE]).digest() + hashlib.sha256(b"x").digest()
    assert digest_bytes(data) == "sha256c:" + hashlib.sha256(header + chunks).hexdigest()


def test_digests_never_change_between_versions() -> None:
    assert digest_bytes(b"") == "sha256c:3d4049b1b2a3dacfa36121ccac3ea20659f486a2552cde606c6d0d3c8c932e07"
    assert (
        digest_bytes(b"hello\n") == "sha256c:a716549efbc78a3f16fc0608b3646a82aca091e0ebc8c69a980ccd6ab5ce4e51"
    )
    tree = [("a", 6, digest_bytes(b"hello\n")), ("é/b", 0, digest_bytes(b""))]
    assert digest_tree(tree) == "sha256t:9bffa3b3693da56bb778e033aa48ab72a2c1261d9fa8b73d8adfc17cbb0abf91"


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("chunks", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_file_and_its_bytes_have_one_digest(tmp_path: Path, workers: int, chunks: int, extra: int) -> None:
    size = max(0, chunks * CHUNK_SIZE + extra)
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    path = tmp_path / "file"
    path.write_bytes(data)
    assert digest_file(path, workers) == digest_bytes(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(contents=st.lists(st.binary(max_size=90), max_size=25), workers=st.integers(1, 5))
def test_many_files_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: list[bytes], workers: int
) -> None:
    with monkeypatch.context() as patch:  # small numbers make every way to cut the work occur
        for name, value in (("CHUNK_SIZE", 8), ("_UNIT_SIZE", 32), ("_UNIT_FILES", 3), ("_READ_SIZE", 5)):
            patch.setattr(digest, name, value)
        paths = [tmp_path / str(index) for index in range(len(contents))]
        for path, data in zip(paths, contents, strict=True):
            path.write_bytes(data)
        found = digest_files(paths, workers)
        assert [item.text for item in found] == [digest_bytes(data) for data in contents]
        assert [item.size for item in found] == [len(data) for data in contents]


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_different_bytes_have_different_digests(one: bytes, other: bytes) -> None:
    assert (digest_bytes(one) == digest_bytes(other)) == (one == other)


@given(entries.flatmap(lambda tree: st.tuples(st.just(tree), st.permutations(tree))))
def test_a_tree_has_no_order(trees: tuple[list[tuple[str, int, str]], list[tuple[str, int, str]]]) -> None:
    assert digest_tree(trees[0]) == digest_tree(trees[1])


@given(entries, entries)
def test_different_trees_have_different_digests(
    one: list[tuple[str, int, str]], other: list[tuple[str, int, str]]
) -> None:
    assert (digest_tree(one) == digest_tree(other)) == (sorted(one) == sorted(other))


def test_text_cannot_move_between_path_and_digest() -> None:
    assert digest_tree([("ab", 1, "c")]) != digest_tree([("a", 1, "bc")])
    assert digest_tree([]) != digest_tree([("", 0, "")])


def test_two_entries_with_one_path_are_refused() -> None:
    with pytest.raises(UserErrorException, match="same path"):
        digest_tree([("a", 1, "x"), ("a", 2, "y")])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundException, match="nowhere"):
        digest_file(tmp_path / "nowhere")


def test_a_file_that_grows_meanwhile_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"12345")
    for size in (4, 6):
        monkeypatch.setattr(digest, "_size", lambda _, size=size: size)
        with pytest.raises(MlstepsException, match="changed while"):
            digest_file(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"")
    path.chmod(0)
    with pytest.raises(MlstepsException, match="secret"):
        digest_file(path)
