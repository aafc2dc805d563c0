"""A digest that is remembered is never a wrong one, and what is remembered is not read again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher import digest
from mlsteps.launcher.digest import FileDigest, digest_files
from mlsteps.launcher.manifest import build_manifest
from mlsteps.reuse import digest_cache
from mlsteps.reuse.content import TreeContent, content_of
from mlsteps.reuse.digest_cache import DigestCache
from processes import at_once, folder_for_everybody, unprivileged

MINUTE = 60 * 10**9


class Clock:
    """What the cache takes for the time: by default so much later that all files are old."""

    def __init__(self) -> None:
        self.ahead = MINUTE

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(digest_cache, "_now", clock)
    return clock


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []

    def listed(files: list[tuple[str, int]]) -> Iterator[tuple[FileDigest, os.stat_result]]:
        names.extend(os.path.basename(path) for path, _ in files)
        return digest.digest_listed(files)

    monkeypatch.setattr(digest_cache, "digest_listed", listed)
    return names


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for name in ("a", "b", "sub/c", "sub/deep/d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> DigestCache:
    return DigestCache(tmp_path / "cache", worth=0)


def next_tick(folder: Path) -> None:
    """Wait until a file that is changed now gets another change time."""
    probe = folder.with_name(f"{folder.name}-probe")
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.touch()


def is_right(content: TreeContent, tree: Path) -> bool:
    manifest = build_manifest(tree)
    return content.manifest() == manifest and (
        content.kind,
        content.digest,
        content.number_of_files,
        content.bytes,
    ) == (manifest.kind, manifest.digest, manifest.number_of_files, manifest.bytes)


def test_what_did_not_change_is_not_read_again(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str]
) -> None:
    assert is_right(content_of(tree, cache), tree)
    assert sorted(read) == ["a", "b", "c", "d"]
    read.clear()
    assert is_right(content_of(tree, cache), tree)
    assert read == []


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "content": (lambda tree: (tree / "a").write_text("longer"), ["a"]),
    "the same length": (lambda tree: (tree / "a").write_text("A"), ["a"]),
    "touched": (lambda tree: (tree / "a").touch(), ["a"]),
    "mode": (lambda tree: (tree / "a").chmod(0o700), ["a"]),
    "added": (lambda tree: (tree / "new").write_text("new"), ["new"]),
    "removed": (lambda tree: (tree / "a").unlink(), []),
    "renamed": (lambda tree: (tree / "a").rename(tree / "z"), ["z"]),
    "folder renamed": (lambda tree: (tree / "sub").rename(tree / "other"), []),
    "swapped": (
        lambda tree: [
            (tree / one).rename(tree / other) for one, other in (("a", "x"), ("b", "a"), ("x", "b"))
        ],
        ["a", "b"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_changed_is_read_again(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str], change: str
) -> None:
    content_of(tree, cache)
    next_tick(tree)
    read.clear()
    CHANGES[change][0](tree)
    assert is_right(content_of(tree, cache), tree)
    assert read == CHANGES[change][1]
    read.clear()
    assert is_right(content_of(tree, cache), tree)
    assert read == []


def test_a_change_whose_traces_were_wiped_is_noticed(tree: Path, cache: DigestCache, clock: Clock) -> None:
    status = (tree / "a").stat()
    content_of(tree, cache)
    next_tick(tree)
    (tree / "a").write_text("A")
    os.utime(tree / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_right(content_of(tree, cache), tree)
    (tree / "other").write_text("B")
    os.utime(tree / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tree / "other").replace(tree / "a")
    assert is_right(content_of(tree, cache), tree)


def test_another_tree_at_the_same_place_is_another(tree: Path, cache: DigestCache, clock: Clock) -> None:
    content_of(tree, cache)
    shutil.rmtree(tree)
    assert content_of(shutil.copytree(cache.folder, tree), cache).digest == build_manifest(tree).digest


@pytest.mark.parametrize("wiped", [False, True])
def test_writes_within_one_tick_of_the_clock_are_noticed(tree: Path, cache: DigestCache, wiped: bool) -> None:
    for number in range(300):
        (tree / "a").write_text(f"{number:04}")
        if wiped:
            os.utime(tree / "a", (1, 1))
        assert content_of(tree, cache).digest == build_manifest(tree).digest
    assert not Path(cache.folder).exists()


def test_only_old_files_are_remembered(tree: Path, cache: DigestCache, read: list[str], clock: Clock) -> None:
    content_of(tree, cache)
    next_tick(tree)
    (tree / "a").write_text("A")
    clock.ahead = 10**9  # the others were remembered at a time that is yet to come
    content_of(tree, cache)
    read.clear()
    content_of(tree, cache)
    assert sorted(read) == ["a", "b", "c", "d"]


def test_a_file_of_the_future_is_never_remembered(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str]
) -> None:
    os.utime(tree / "a", (time.time() + 10**6, time.time() + 10**6))
    for _ in range(3):
        read.clear()
        assert is_right(content_of(tree, cache), tree)
    assert set(read) == {"a"}


def test_nothing_is_believed_while_the_clock_is_behind(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str]
) -> None:
    content_of(tree, cache)
    for ahead in (-MINUTE, MINUTE - 10**9 * 30, 0):
        read.clear()
        clock.ahead = ahead
        assert content_of(tree, cache).digest == build_manifest(tree).digest
        assert sorted(read) == ["a", "b", "c", "d"]
    read.clear()
    clock.ahead = 2 * MINUTE
    assert is_right(content_of(tree, cache), tree)
    assert read == []


@pytest.mark.parametrize(("first", "then"), [(MINUTE, 0), (0, MINUTE)])
def test_what_is_new_by_any_clock_that_there_was_while_hashing_is_not_remembered(
    tree: Path,
    cache: DigestCache,
    monkeypatch: pytest.MonkeyPatch,
    read: list[str],
    first: int,
    then: int,
) -> None:
    """Set back, or forward, or it took as long."""
    times = iter([time.time_ns() + first])
    monkeypatch.setattr(digest_cache, "_now", lambda: next(times, time.time_ns() + then))
    content_of(tree, cache)
    monkeypatch.setattr(digest_cache, "_now", lambda: time.time_ns() + 2 * MINUTE)
    read.clear()
    content_of(tree, cache)
    assert sorted(read) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("field", ["st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"])
def test_each_part_of_a_state_counts(tree: Path, field: str) -> None:
    status: Any = SimpleNamespace(st_dev=1, st_ino=2, st_size=3, st_mtime_ns=4, st_ctime_ns=5, st_mode=0o644)
    other: Any = SimpleNamespace(**{**vars(status), field: 9})
    assert digest_cache.state(status) != digest_cache.state(other)


BREAKAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-1],
    "first line only": lambda data: data.splitlines(keepends=True)[0],
    "longer": lambda data: data + b"\n",
    "garbage": lambda data: os.urandom(500),
    "not text": lambda data: b"\xff" * 500,
    "another version": lambda data: data.replace(b"/1\n", b"/2\n", 1),
    "another digest": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "another checksum": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
}


@pytest.mark.parametrize("kinds", [["tree"], ["files"], ["tree", "files"]])
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_cache_is_as_good_as_none(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str], breakage: str, kinds: list[str]
) -> None:
    content_of(tree, cache)
    for kind in kinds:
        (file,) = Path(cache.folder).glob(f"*.{kind}")
        file.write_bytes(BREAKAGES[breakage](file.read_bytes()))
    read.clear()
    assert is_right(content_of(tree, cache), tree)
    assert bool(read) == ("files" in kinds)
    next_tick(tree)
    (tree / "a").write_text("A")
    assert is_right(content_of(tree, cache), tree)


def test_files_of_the_cache_in_each_other_s_place_are_nothing(
    tree: Path, cache: DigestCache, clock: Clock, read: list[str]
) -> None:
    content_of(tree, cache)
    one, other = Path(cache.folder).iterdir()
    one.rename(one.with_name("x"))
    other.rename(one)
    one.with_name("x").rename(other)
    read.clear()
    assert is_right(content_of(tree, cache), tree)
    assert len(read) == 4


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_bytes_may_stand_in_the_cache(
    tree: Path, cache: DigestCache, clock: Clock, data: st.DataObject
) -> None:
    content_of(tree, cache)
    for file in Path(cache.folder).iterdir():
        content = file.read_bytes()
        start = data.draw(st.integers(0, len(content)))
        file.write_bytes(content[:start] + data.draw(st.binary(max_size=80)))
    assert is_right(content_of(tree, cache), tree)


def test_the_parts_of_two_processes_fit_together(tree: Path, cache: DigestCache, clock: Clock) -> None:
    """One wrote its files last of the one kind, the other last of the other."""
    content_of(tree, cache)
    saved = {file: file.read_bytes() for file in Path(cache.folder).iterdir()}
    next_tick(tree)
    (tree / "a").write_text("A")
    (tree / "sub/new").write_text("new")
    content_of(tree, cache)
    for file, data in saved.items():
        newer = file.read_bytes()
        file.write_bytes(data)
        assert is_right(content_of(tree, cache), tree)
        file.write_bytes(newer)


def test_processes_may_write_the_cache_at_once(tree: Path, tmp_path: Path) -> None:
    imports = """
import os, time
from pathlib import Path
from mlsteps.reuse import digest_cache
from mlsteps.reuse.content import content_of
digest_cache._now = lambda: time.time_ns() + 60 * 10**9
"""
    code = f"""
tree, cache = Path({str(tree)!r}), digest_cache.DigestCache({str(tmp_path / "shared")!r}, worth=0)
found = set()
for turn in range(40):
    if number == 0:
        for file in list(Path(cache.folder).glob("*.[tf]*")):
            file.unlink(missing_ok=True)
    found.add(content_of(tree, cache).digest)
print(*found)
"""
    assert set(at_once(imports, code, tmp_path, 3)) == {build_manifest(tree).digest}
    assert len(list((tmp_path / "shared").iterdir())) == 2


@pytest.mark.parametrize("what", ["file", "below a file", "no folder"])
def test_it_works_without_a_folder_to_write_to(tree: Path, tmp_path: Path, clock: Clock, what: str) -> None:
    (tmp_path / "file").touch()
    folder = {"file": "file", "below a file": "file/x", "no folder": "not/there"}[what]
    for _ in range(2):
        assert is_right(content_of(tree, DigestCache(tmp_path / folder, worth=0)), tree)


def test_it_works_with_a_folder_that_is_read_only(clock: Clock) -> None:
    with folder_for_everybody() as folder:
        (folder / "tree").mkdir()
        (folder / "tree/a").write_text("a")
        (folder / "cache").mkdir(mode=0o755)
        with unprivileged():
            for _ in range(2):
                content = content_of(folder / "tree", DigestCache(folder / "cache", worth=0))
                assert is_right(content, folder / "tree")
        assert list((folder / "cache").iterdir()) == []


def test_what_is_hashed_in_no_time_is_not_worth_a_file(tree: Path, tmp_path: Path, clock: Clock) -> None:
    content_of(tree, DigestCache(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
    (tree / "large").write_bytes(bytes(5 << 20))
    content_of(tree, DigestCache(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def meddled(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object]
) -> None:
    """Let something happen before and after a file is read."""

    def listed(files: list[tuple[str, int]]) -> Iterator[tuple[FileDigest, os.stat_result]]:
        before()
        found = list(digest.digest_listed(files))
        after()
        return iter([(item, os.stat(path)) for (item, _), (path, _) in zip(found, files, strict=True)])

    monkeypatch.setattr(digest_cache, "digest_listed", listed)


def nothing() -> None:
    pass


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("text", ["A", "longer", ""])
def test_a_file_that_changes_while_it_is_hashed_is_an_error_or_read_again(
    tree: Path,
    cache: DigestCache,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    text: str,
) -> None:
    def change() -> None:
        next_tick(tree)
        (tree / "a").write_text(text)

    with monkeypatch.context() as patch:
        meddled(patch, *((change, nothing) if moment == "before" else (nothing, change)))
        if moment == "before" and len(text) == 1:
            assert content_of(tree, cache).digest == build_manifest(tree).digest
        else:
            with pytest.raises(MlstepsException, match="a' changed while it was being hashed"):
                content_of(tree, cache)
    assert is_right(content_of(tree, cache), tree)


def test_a_file_whose_status_changes_while_it_is_hashed_is_not_remembered(
    tree: Path, cache: DigestCache, clock: Clock, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    with monkeypatch.context() as patch:
        meddled(patch, nothing, lambda: (next_tick(tree), os.link(tree / "a", tree.with_name("linked"))))
        assert is_right(content_of(tree, cache), tree)
    content_of(tree, cache)
    assert read == ["a"]


def test_a_file_that_vanishes_meanwhile_is_named(
    tree: Path, cache: DigestCache, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddled(monkeypatch, (tree / "a").unlink, nothing)
    with pytest.raises(MlstepsException, match="There is no file .*a' to hash"):
        content_of(tree, cache)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["write", "touch", "remove", "rename", "chmod", "replace", "link"]),
        st.sampled_from(["a", "b", "sub/c", "sub/d"]),
        st.sampled_from(["a", "b", "sub/c", "sub/e"]),
        st.sampled_from([b"1", b"2", b"33"]),
        st.sampled_from([0, MINUTE, 2 * MINUTE]),
    ),
    min_size=1,
    max_size=12,
)


def edit(tree: Path, what: str, path: Path, other: Path, data: bytes) -> None:
    match what:
        case "write":
            path.write_bytes(data)
        case "touch":
            path.touch()
        case "chmod" if path.exists():
            path.chmod(0o755 if path.stat().st_mode & 0o100 == 0 else 0o644)
        case "remove":
            path.unlink(missing_ok=True)
        case "rename" if path.exists():
            path.rename(other)
        case "replace" if path.exists():
            status = path.stat()
            other.write_bytes(data)
            os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
            other.replace(path)
        case "link" if path.exists() and not other.exists():
            os.link(path, other)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EDITS)
def test_whatever_happens_to_a_tree_the_cache_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory,
    clock: Clock,
    edits: list[tuple[str, str, str, bytes, int]],
) -> None:
    """With the true clock, also within its tick; with one that is ahead, so that more is remembered."""
    tree = tmp_path_factory.mktemp("x") / "tree"
    cache = DigestCache(tree.parent / "cache", worth=0)
    (tree / "sub").mkdir(parents=True)
    (tree / "a").write_bytes(b"0")
    for what, path, other, data, clock.ahead in edits:
        edit(tree, what, tree / path, tree / other, data)
        for _ in range(2):
            assert is_right(content_of(tree, cache), tree)
        if clock.ahead:
            next_tick(tree)


def test_small_files_on_a_slow_disk_are_read_by_threads(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tree / str(number) for number in range(700)]
    for number, file in enumerate(files):
        file.write_text(str(number))
    expected = digest_files(files, 1)
    threads = []
    hash_unit = digest._hash_unit

    def slow(unit: list[tuple[str, int, int, bool]]) -> object:
        import threading

        time.sleep(0.2)
        threads.append(threading.current_thread().name)
        return hash_unit(unit)

    monkeypatch.setattr(digest, "_hash_unit", slow)
    assert digest_files(files, 2) == expected
    assert threads[0] == "MainThread"
    assert {name.partition("_")[0] for name in threads[1:]} == {"digest"}
