"""What git says of a source directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlsteps.reuse import git


def run(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **identity, "HOME": str(folder)},
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.py").write_text("a")
    (folder / "other.py").write_text("o")
    run(folder, "init", "-q", "-b", "main")
    run(folder, "add", ".")
    run(folder, "commit", "-q", "-m", "m")
    return folder


def test_a_folder_outside_of_git_has_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.describe(tmp_path) == {}
    assert git.describe(tmp_path / "none") == {}


def test_a_repository_without_a_commit_has_nothing(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    assert git.describe(tmp_path) == {}


def test_a_clean_checkout(checkout: Path) -> None:
    commit = run(checkout, "rev-parse", "HEAD")
    assert git.describe(checkout / "src") == {"commit": commit, "branch": "main", "dirty": False}


@pytest.mark.parametrize("change", ["src/a.py", "src/new.py", "src/caf\udce9.py"])
def test_a_changed_or_new_file_makes_it_dirty(checkout: Path, change: str) -> None:
    (checkout / change).write_text("changed")
    run(checkout, "config", "core.quotePath", "false")
    assert git.describe(checkout / "src")["dirty"] is True


def test_a_change_elsewhere_does_not(checkout: Path) -> None:
    (checkout / "other.py").write_text("changed")
    assert git.describe(checkout / "src")["dirty"] is False
    assert git.describe(checkout)["dirty"] is True


def test_a_checkout_of_a_commit_has_no_branch(checkout: Path) -> None:
    run(checkout, "checkout", "-q", "--detach")
    assert git.describe(checkout)["branch"] == ""


def test_the_checkout_is_only_read(checkout: Path) -> None:
    index = checkout / ".git/index"
    os.utime(checkout / "src/a.py", (1, 1))  # git would refresh its index
    before = index.stat().st_mtime_ns, index.read_bytes()
    git.describe(checkout)
    assert (index.stat().st_mtime_ns, index.read_bytes()) == before


def test_variables_of_a_git_hook_do_not_lead_it_elsewhere(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(checkout))
    (tmp_path / "plain").mkdir()
    assert git.describe(tmp_path / "plain") == {}


def test_without_git_there_is_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git.describe(checkout) == {}
