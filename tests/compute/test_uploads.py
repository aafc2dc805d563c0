"""Bringing an output from where the script wrote it to its store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlsteps.compute.job import JobOutput
from mlsteps.compute.uploads import collect_output
from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import build_manifest


@pytest.fixture
def output(tmp_path: Path) -> JobOutput:
    return JobOutput(
        "out", "$out", "out", FolderStore(tmp_path / "store"), "a/b", True, "here", replace=False
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", "back\\slash"):
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text(name)
    return tmp_path / "here"


def listed(output: JobOutput) -> list[str]:
    return [info.path for info in output.store.list()]


def test_a_folder_with_all_its_files(source: Path, output: JobOutput) -> None:
    manifest = build_manifest(source)
    assert collect_output(source, manifest, output) == manifest
    assert listed(output) == sorted(f"a/b/{entry.path}" for entry in manifest.files)
    assert output.store.read("a/b/sub/c.csv") == b"sub/c.csv"


def test_a_single_file(source: Path, output: JobOutput) -> None:
    collect_output(source / "a.csv", build_manifest(source / "a.csv"), output)
    assert listed(output) == ["a/b"]


def test_the_root_of_a_store(source: Path, output: JobOutput) -> None:
    collect_output(source, build_manifest(source), replace(output, path=""))
    assert "sub/c.csv" in listed(output)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("*.txt",), ["b.txt"]),
        (("*.csv",), ["a.csv", "sub/c.csv", "sub/deep/d.csv"]),
        (("**/*.csv",), ["a.csv", "sub/c.csv", "sub/deep/d.csv"]),
        (("sub/**",), ["sub/c.csv", "sub/deep/d.csv"]),
        (("sub/**/*.csv",), ["sub/c.csv", "sub/deep/d.csv"]),
        (("b.*", "a.*"), ["a.csv", "b.txt"]),
        (("none",), []),
    ],
)
def test_only_what_matches(
    source: Path, output: JobOutput, patterns: tuple[str, ...], names: list[str]
) -> None:
    manifest = collect_output(source, build_manifest(source), replace(output, patterns=patterns))
    assert [entry.path for entry in manifest.files] == names
    assert listed(output) == [f"a/b/{name}" for name in names]


def test_a_file_that_stands_there_is_an_error_before_anything_is_copied(
    source: Path, output: JobOutput
) -> None:
    output.store.write("a/b/sub/c.csv", b"old")
    with pytest.raises(UserErrorException, match=r"'out': .*a/b/sub/c\.csv exists already.*overwrite=True"):
        collect_output(source, build_manifest(source), output)
    assert listed(output) == ["a/b/sub/c.csv"]
    collect_output(source, build_manifest(source), replace(output, replace=True))
    assert output.store.read("a/b/sub/c.csv") == b"sub/c.csv"
