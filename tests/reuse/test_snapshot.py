"""The snapshot of a source directory: which files, and that nothing but content counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pathspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher import digest
from mlsteps.launcher.digest import FileDigest, digest_bytes
from mlsteps.launcher.snapshot_archive import write_archive
from mlsteps.reuse import digest_cache, snapshot
from mlsteps.reuse.content import content_of
from mlsteps.reuse.digest_cache import DigestCache
from mlsteps.reuse.snapshot import Snapshot, SnapshotEntry, archive_digest, hash_paths, take_snapshot
from processes import folder_for_everybody, unprivileged


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DigestCache:
    """One that remembers everything at once, as its clock is ahead."""
    monkeypatch.setattr(digest_cache, "_now", lambda: time.time_ns() + 60 * 10**9)
    return DigestCache(tmp_path / "cache", worth=0)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []

    def listed(files: list[tuple[str, int]]) -> Iterator[tuple[FileDigest, os.stat_result]]:
        names.extend(os.path.basename(path) for path, _ in files)
        return digest.digest_listed(files)

    monkeypatch.setattr(digest_cache, "digest_listed", listed)
    return names


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def taken(folder: Path) -> list[str]:
    return list(take_snapshot(folder).files)


def test_files_are_sorted_and_counted(source: Path) -> None:
    fill(source, "b.py", "a/z.py", "a.py", "a-b.py")
    snapshot = take_snapshot(source)
    assert snapshot.files == ("a-b.py", "a.py", "a/z.py", "b.py")
    assert snapshot.bytes == 4 + 6 + 4 + 6
    assert snapshot.digest.startswith("sha256t:")


def test_only_content_counts(source: Path, tmp_path: Path) -> None:
    fill(source, "a.py", "sub/b.py")
    digest = take_snapshot(source).digest
    os.utime(source / "a.py", (1, 1))
    os.chmod(source / "a.py", 0o600)
    (source / "empty").mkdir()
    other = tmp_path / "elsewhere" / "checkout"
    shutil.copytree(source, other)
    os.symlink(other, tmp_path / "linked")
    assert [take_snapshot(folder).digest for folder in (source, other, tmp_path / "linked")] == [digest] * 3


@pytest.mark.parametrize("change", ["content", "name", "executable", "added", "removed", "link"])
def test_every_change_counts(source: Path, change: str) -> None:
    fill(source, "a.py", "b.py")
    digest = take_snapshot(source).digest
    match change:
        case "content":
            (source / "a.py").write_text("A.py")
        case "name":
            (source / "a.py").rename(source / "c.py")
        case "executable":
            (source / "a.py").chmod(0o755)
        case "added":
            (source / "c.py").touch()
        case "removed":
            (source / "b.py").unlink()
        case "link":
            (source / "a.py").unlink()
            (source / "a.py").symlink_to("b.py")
    assert take_snapshot(source).digest != digest


def test_what_running_the_code_leaves_is_never_part(source: Path) -> None:
    fill(source, "a.py")
    digest = take_snapshot(source).digest
    fill(source, "__pycache__/a.cpython-311.pyc", "sub/__pycache__/x", "a.pyc", ".git/HEAD", ".DS_Store")
    fill(source, "sub/.ipynb_checkpoints/n.ipynb")
    assert take_snapshot(source).digest == digest
    (source / ".amlignore").write_text("!__pycache__/\n!*.pyc\n.amlignore\n")
    assert taken(source) == ["a.py"]


def test_amlignore_replaces_gitignore(source: Path) -> None:
    fill(source, "a.py", "data.csv", "notes.md", "sub/data.csv")
    (source / ".gitignore").write_text("*.csv\n")
    assert taken(source) == [".gitignore", "a.py", "notes.md"]
    (source / ".amlignore").write_text("*.md\n")
    assert taken(source) == [".amlignore", ".gitignore", "a.py", "data.csv", "sub/data.csv"]


def test_an_ignore_file_below_the_root_is_a_file_like_others(source: Path) -> None:
    fill(source, "sub/a.csv")
    (source / "sub/.gitignore").write_text("*.csv\n")
    assert taken(source) == ["sub/.gitignore", "sub/a.csv"]


RULES = [
    "*.log",
    "!keep.log",
    "build/",
    "/top.txt",
    "sub/*.csv\n!sub/b.csv",
    "**/tmp",
    "a/**/z",
    "data\n!data/keep.log",
    "data/*\n!data/keep.log",
    "# comment\n\n  \n\\#hash\n",
    "trailing.txt   ",
    "[ab].txt",
    "?.txt",
    "*\n!*/\n!*.py",
    "*\n!**/\n!sub/*.csv",
    "data/**\n!data/keep.log",
    "*\n!sub\n",
    "/*\n!/sub/\n/sub/*\n!/sub/b.csv",
    "\\!bang",
    "sub/",
    "*.txt\r\n!a.txt\r\n",
]
NAMES = [
    "keep.log", "x.log", "sub/x.log", "build/x", "sub/build/x", "src/build", "top.txt", "sub/top.txt",
    "sub/a.csv", "sub/b.csv", "sub/deep/c.csv", "tmp/x", "sub/tmp/x", "a/z", "a/b/c/z", "a/b/y",
    "data/keep.log", "data/x",
    "#hash", "trailing.txt", "a.txt", "b.txt", "c.txt", "!bang", "m.py", "sub/m.py",
]  # fmt: skip


@pytest.mark.parametrize("rules", RULES)
def test_the_rules_are_git_s(source: Path, rules: str) -> None:
    fill(source, *NAMES)
    (source / ".gitignore").write_bytes(rules.encode())
    subprocess.run(["git", "init", "-q"], cwd=source, check=True)
    command = ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True).stdout
    assert taken(source) == sorted(filter(None, listed.split("\0")))


def test_a_byte_order_mark_is_no_part_of_a_rule(source: Path) -> None:
    fill(source, "a.csv", "a.py")
    (source / ".amlignore").write_bytes("\ufeff*.csv\n.amlignore".encode())
    assert taken(source) == ["a.py"]


def test_a_rule_that_is_none_is_named(source: Path) -> None:
    fill(source, "a.py")
    (source / ".amlignore").write_text("*.csv\n!\n")
    with pytest.raises(SnapshotException, match=r"\.amlignore.*'!'"):
        take_snapshot(source)


def test_an_ignored_folder_is_not_even_entered(source: Path) -> None:
    fill(source, "a.py", "data/x")
    (source / "data/dangling").symlink_to("/nowhere")
    (source / ".amlignore").write_text("data/\n.amlignore\n")
    assert taken(source) == ["a.py"]


def test_links_inside_are_kept_as_links(source: Path) -> None:
    fill(source, "a.py", "sub/b.py")
    (source / "link.py").symlink_to("sub/b.py")
    (source / "sub/up.py").symlink_to("../a.py")
    (source / "folder").symlink_to("sub")
    snapshot = take_snapshot(source)
    assert snapshot.files == ("a.py", "folder", "link.py", "sub/b.py", "sub/up.py")
    assert snapshot.bytes == 4 + 8
    (source / "link.py").unlink()
    (source / "link.py").symlink_to("a.py")
    assert take_snapshot(source).digest != snapshot.digest


@pytest.mark.parametrize(
    "target",
    ["/etc/hostname", "../secret", "none", "loop", "{source}/a.py", "../source/a.py", "..", "{root}"],
)
def test_a_link_that_cannot_travel_is_refused_with_the_remedy(
    source: Path, tmp_path: Path, target: str
) -> None:
    fill(source, "a.py")
    fill(tmp_path, "secret")
    (source / "loop").symlink_to("loop" if target == "loop" else "a.py")
    (source / "loop.py").symlink_to(target.format(source=source, root=tmp_path))
    with pytest.raises(
        SnapshotException, match=r"link loop(\.py)? to .* outside of it, at nothing.*\.amlignore"
    ):
        take_snapshot(source)
    (source / ".amlignore").write_text("loop\nloop.py\n.amlignore\n")
    assert taken(source) == ["a.py"]


@pytest.mark.parametrize("name", ["ü.py", "日本.py", "a b.py", "a\\b.py", "[x].py", "-x", "x\ny"])
def test_any_name(source: Path, name: str) -> None:
    fill(source, name)
    assert taken(source) == [name]


def test_what_is_no_file_is_passed_over(source: Path) -> None:
    fill(source, "a.py")
    os.mkfifo(source / "pipe")
    assert taken(source) == ["a.py"]


@pytest.mark.parametrize("what", ["none", "a.py"])
def test_a_directory_that_does_not_exist_is_named(source: Path, what: str) -> None:
    fill(source, "a.py")
    with pytest.raises(SnapshotException, match=f"{what}' does not exist"):
        take_snapshot(source / what)


@pytest.mark.parametrize("what", ["a.py", "sub", ".amlignore"])
def test_what_cannot_be_read_is_named(what: str) -> None:
    with folder_for_everybody() as source:
        fill(source, "a.py", "sub/b.py")
        (source / ".amlignore").write_text("")
        take_snapshot(source)
        os.chmod(source / what, 0)
        with unprivileged(), pytest.raises(SnapshotException, match=f"cannot be read: .*{what}"):
            take_snapshot(source)
        os.chmod(source / what, 0o700)


files = st.dictionaries(
    st.text("abc.-_ü", min_size=1, max_size=6).filter(lambda name: name.strip(".")),
    st.tuples(st.binary(max_size=20), st.booleans()),
    max_size=5,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files)
def test_an_archive_has_the_digest_of_what_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, tuple[bytes, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("x")
    for name, (data, executable) in content.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755 if executable else 0o644)
    if content:
        (folder / "linked").symlink_to(next(iter(content)))
    snapshot = take_snapshot(folder)
    archive = tmp_path_factory.mktemp("y") / "s.zip"
    write_archive([(file, folder / file) for file in snapshot.files], archive)
    assert archive_digest(archive) == snapshot.digest


def test_the_digest_of_a_large_file_in_an_archive(source: Path, tmp_path: Path) -> None:
    (source / "large").write_bytes(os.urandom(1 << 20) * 9)
    write_archive([("large", source / "large")], tmp_path / "s.zip", compress=False)
    assert archive_digest(tmp_path / "s.zip") == take_snapshot(source).digest


NEVER = ["__pycache__/", "*.py[co]", ".git/", ".ipynb_checkpoints/", ".DS_Store"]
PARTS = st.sampled_from(["__pycache__", ".git", ".DS_Store", ".ipynb_checkpoints", "a", ".", "x"])
NEVER_NAMES = st.builds(
    str.__add__, st.lists(PARTS, max_size=2).map("".join), st.sampled_from(["", ".pyc", ".pyo", ".py"])
).filter(lambda name: name.strip("."))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(NEVER_NAMES, min_size=1, max_size=3), st.booleans())
def test_what_is_never_part_is_what_such_patterns_say(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], rules: bool
) -> None:
    folder = tmp_path_factory.mktemp("x")
    fill(folder, "/".join(parts))
    if rules:
        (folder / ".amlignore").write_text(".amlignore")
    expected = not pathspec.GitIgnoreSpec.from_lines(NEVER).match_file("/".join(parts))
    assert taken(folder) == ["/".join(parts)] * expected


def test_entries_tell_kind_size_and_digest(source: Path, cache: DigestCache) -> None:
    fill(source, "b.py", "run.sh", "x.log")
    (source / "run.sh").chmod(0o755)
    (source / "a-link").symlink_to("b.py")
    (source / ".amlignore").write_text("*.log\n.amlignore\n")
    expected = (
        SnapshotEntry("a-link", "link", 4, "b.py"),
        SnapshotEntry("b.py", "file", 4, digest_bytes(b"b.py")),
        SnapshotEntry("run.sh", "exec", 6, digest_bytes(b"run.sh")),
    )
    for used in (None, cache, cache):
        snapshot = take_snapshot(source, used)
        assert snapshot.entries() == expected
        assert snapshot.files == tuple(entry.path for entry in expected)
        assert (snapshot.number_of_files, snapshot.bytes) == (3, 10)


@pytest.mark.parametrize("rules", [None, "*.log\nbuild/\n!keep.log\n.amlignore\n"])
def test_what_did_not_change_is_not_read_again(
    source: Path, cache: DigestCache, read: list[str], rules: str | None
) -> None:
    fill(source, "a.py", "sub/b.py")
    (source / "link").symlink_to("a.py")
    if rules:
        (source / ".amlignore").write_text(rules)
    snapshot = take_snapshot(source)
    assert take_snapshot(source, cache) == snapshot
    read.clear()
    again = take_snapshot(source, cache)
    assert again == snapshot
    assert again.files == snapshot.files == ("a.py", "link", "sub/b.py")
    assert read == []
    assert again.entries() == snapshot.entries()
    time.sleep(0.02)  # for another change time
    (source / "a.py").write_text("A.py")
    read.clear()
    assert take_snapshot(source, cache).digest != snapshot.digest
    assert read == ["a.py"]


def test_a_file_that_is_ignored_never_matters(source: Path, cache: DigestCache, read: list[str]) -> None:
    fill(source, "a.py", "logs/1.log", "logs/keep.txt", "build/x", "a.pyc")
    (source / ".amlignore").write_text("*.log\nbuild/\n")
    snapshot = take_snapshot(source, cache)
    read.clear()
    for change in (
        lambda: fill(source, "logs/2.log", "sub/3.log", "b.pyc"),
        (source / "logs/1.log").unlink,
        lambda: (source / "logs/2.log").write_text("more"),
        lambda: (source / "logs/4.log").symlink_to("/nowhere"),
        lambda: fill(source, "sub/build/y", "sub/__pycache__/x"),
        lambda: (source / "sub/build/link").symlink_to("/nowhere"),
        lambda: (source / "build/x").write_text("other"),
    ):
        change()
        for _ in range(2):
            assert take_snapshot(source, cache) == snapshot
    assert read == []


def test_the_rules_are_asked_once_about_a_path(
    source: Path, cache: DigestCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes longer than all the rest."""
    asked: list[str] = []
    exclude = snapshot._IgnoreRules.exclude

    def spied(rules: snapshot._IgnoreRules, path: str) -> bool:
        asked.append(path)
        return exclude(rules, path)

    monkeypatch.setattr(snapshot._IgnoreRules, "exclude", spied)
    fill(source, "a.py", "logs/1.log", "logs/keep.txt", "build/x")
    (source / ".amlignore").write_text("*.log\nbuild/\n")
    take_snapshot(source, cache)
    assert {"a.py", "logs/", "logs/1.log", "build/"} <= set(asked)
    fill(source, "logs/2.log")
    take_snapshot(source, cache)
    asked.clear()
    take_snapshot(source, cache)
    assert asked == []


def test_an_ignored_file_need_not_even_have_a_status() -> None:
    with folder_for_everybody() as source:
        fill(source, "a.py", "sub/1.log")
        (source / ".amlignore").write_text("*.log\n.amlignore\n")
        os.chmod(source / "sub", 0o444)
        with unprivileged():
            assert taken(source) == ["a.py"]
        (source / ".amlignore").write_text(".amlignore\n")
        with unprivileged(), pytest.raises(SnapshotException, match=r"1\.log"):
            take_snapshot(source)
        os.chmod(source / "sub", 0o700)


def test_another_version_of_the_library_is_asked_again(
    source: Path, cache: DigestCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source, "a.py", "b.csv")
    (source / ".amlignore").write_text("*.csv\n")
    with monkeypatch.context() as patch:
        patch.setattr(pathspec.GitIgnoreSpec, "from_lines", lambda lines: SimpleNamespace(patterns=[]))
        patch.setattr(
            snapshot.importlib.util, "find_spec", lambda name: SimpleNamespace(origin=source / "a.py")
        )
        assert take_snapshot(source, cache).files == (".amlignore", "a.py", "b.csv")
    assert take_snapshot(source, cache).files == (".amlignore", "a.py")


@pytest.mark.parametrize("name", [".amlignore", ".gitignore"])
def test_other_rules_are_other_files_though_no_file_changed(
    source: Path, tmp_path: Path, cache: DigestCache, name: str
) -> None:
    """The rules are in the files themselves, so only a rule that leaves out their own file can do that."""
    fill(source, "a.py", "b.csv", "c.log", "d/e.csv")
    for rules in ("*.csv", "*.log", "*.csv\n!b.csv", "d/", "", "*.csv"):
        (source / name).write_text(f"{rules}\n{name}\n")
        for _ in range(2):
            assert take_snapshot(source, cache) == take_snapshot(source)
    (source / name).unlink()
    assert taken(source) == list(take_snapshot(source, cache).files)


def test_a_rule_that_is_none_is_named_though_all_was_remembered(source: Path, cache: DigestCache) -> None:
    fill(source, "a.py")
    (source / ".amlignore").write_text(".amlignore\n")
    take_snapshot(source, cache)
    (source / ".amlignore").write_text(".amlignore\n!\n")
    with pytest.raises(SnapshotException, match=r"\.amlignore.*'!'"):
        take_snapshot(source, cache)


def test_a_link_that_breaks_is_refused_though_all_was_remembered(source: Path, cache: DigestCache) -> None:
    fill(source, "a.py", "b.pyc")
    (source / "link").symlink_to("b.pyc")
    take_snapshot(source, cache)
    (source / "b.pyc").unlink()
    with pytest.raises(SnapshotException, match="link link to 'b.pyc'"):
        take_snapshot(source, cache)


def test_checkouts_at_other_places_and_times_are_equal(
    source: Path, tmp_path: Path, cache: DigestCache
) -> None:
    fill(source, "a.py", "sub/b.py")
    (source / ".amlignore").write_text("*.log\n")
    other = shutil.copytree(source, tmp_path / "other", copy_function=shutil.copyfile)
    os.utime(other / "a.py", (1, 1))
    fill(other, "x.log")
    for _ in range(2):
        one, copy = take_snapshot(source, cache), take_snapshot(other, cache)
        assert (one.digest, one.entries()) == (copy.digest, copy.entries())


def test_entries_of_a_directory_that_changed_since_are_as_they_were_or_an_error(
    source: Path, cache: DigestCache
) -> None:
    fill(source, "a.py", "b.py")
    entries = take_snapshot(source, cache).entries()
    snapshot = take_snapshot(source, cache)
    forgotten = take_snapshot(source, cache)
    time.sleep(0.02)  # for another change time
    (source / "a.py").write_text("A.py")
    assert snapshot.entries() == entries
    shutil.rmtree(cache.folder)
    with pytest.raises(SnapshotException, match="source' cannot be read: .*changed while"):
        forgotten.entries()


def test_a_name_that_is_no_text_is_remembered(source: Path, cache: DigestCache) -> None:
    (source / os.fsdecode(b"\xff")).mkdir()
    (source / os.fsdecode(b"\xff/\xfe")).write_text("x")
    (source / os.fsdecode(b"\xfd.log")).write_text("x")
    (source / ".amlignore").write_text("*.log\n")
    for _ in range(2):
        assert take_snapshot(source, cache) == take_snapshot(source)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "remove", "rename", "chmod", "rules", "link", "folder"]),
            st.sampled_from(["a.py", "b.csv", "sub/c.py", "sub/d.csv", "sub/data/e", "x.pyc"]),
            st.sampled_from(["a.py", "sub/c.csv", "data/x", "data"]),
            st.sampled_from(["", "*.csv\n", "data/\n", "*\n!*/\n!*.py\n", "sub\n.amlignore\n"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_happens_to_a_directory_the_cache_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, cache: DigestCache, edits: list[tuple[str, str, str, str]]
) -> None:
    source = tmp_path_factory.mktemp("x") / "source"
    fill(source, "a.py", "sub/b.csv")
    for what, name, other, text in edits:
        path, target = source / name, source / other
        try:
            match what:
                case "write":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
                case "remove":
                    path.unlink()
                case "rename":
                    path.rename(target)
                case "chmod":
                    path.chmod(path.stat().st_mode ^ 0o100)
                case "rules":
                    (source / ".amlignore").write_text(text)
                case "link":
                    target.symlink_to("a.py")
                case "folder":
                    shutil.rmtree(target)
        except OSError:  # there is nothing, or something else
            continue
        for _ in range(2):
            assert outcome(lambda source=source: take_snapshot(source, cache)) == outcome(
                lambda source=source: take_snapshot(source)
            )
        time.sleep(0.02)  # for another change time


def outcome(call: Callable[[], Snapshot]) -> tuple[object, ...]:
    """What comes of it: a snapshot with all that it tells, or an error."""
    try:
        snapshot = call()
        return snapshot, snapshot.files, snapshot.entries()
    except SnapshotException as error:
        return (str(error),)


def test_paths_are_hashed_under_the_text_that_was_given(source: Path, cache: DigestCache) -> None:
    fill(source, "a.py", "data/x.csv", "../shared/y")
    (source / "data/shared").symlink_to("../../shared")
    (source / ".amlignore").write_text("data/\n*.py\n")
    paths = ["a.py", "./a.py", "data", "data/x.csv", "../shared", str(source / "a.py")]
    found = hash_paths(source, paths, cache)
    assert list(found) == paths
    assert found["a.py"] == found["./a.py"] == found[str(source / "a.py")] == digest_bytes(b"a.py")
    assert found["data"] == content_of(source / "data", follow_links_anywhere=True).digest
    assert found["../shared"] == content_of(source.parent / "shared").digest
    time.sleep(0.02)  # for another change time
    (source / "data/x.csv").write_text("other")
    again = hash_paths(source, paths, cache)
    assert {path for path in paths if again[path] != found[path]} == {"data", "data/x.csv"}
    assert hash_paths(source, paths) == again


@pytest.mark.parametrize("missing", ["none.csv", "data/none", "../none", "dangling"])
def test_a_path_to_hash_that_is_missing_is_named(source: Path, missing: str) -> None:
    fill(source, "a.py", "data/x")
    (source / "dangling").symlink_to("nowhere")
    with pytest.raises(SnapshotException, match=f"{missing}' of hash_paths"):
        hash_paths(source, ["a.py", missing])
