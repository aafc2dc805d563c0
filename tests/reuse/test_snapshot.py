"""The snapshot of a source directory: which files, and that nothing but content counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.snapshot_archive import write_archive
from mlsteps.reuse.snapshot import archive_digest, take_snapshot
from processes import folder_for_everybody, unprivileged


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


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
