from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.requirements import (
    logical_lines,
    normalise_option,
    normalise_requirement,
    read_requirements_file,
    requirement_name,
)
from mlsteps.exceptions import UserErrorException


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Foo_Bar", "foo-bar"),
        ("foo >= 1.0 , < 2", "foo<2,>=1.0"),
        ("foo=1.0", "foo==1.0"),
        ("foo[B,a]==1", "foo[a,b]==1"),
        ("foo==1 ; python_version<'3.9'", 'foo==1; python_version < "3.9"'),
        ("foo @ https://host/foo.whl", "foo @ https://host/foo.whl"),
        (
            "foo@ https://host/foo.whl ; python_version<'3'",
            'foo @ https://host/foo.whl ; python_version < "3"',
        ),
        ("foo==1 --hash=sha256:bb --hash sha256:aa", "foo==1 --hash=sha256:aa --hash=sha256:bb"),
        ("git+https://tok@host/a/foo.git@v1", "git+https://host/a/foo.git@v1"),
    ],
)
def test_canonical_spelling(written: str, canonical: str) -> None:
    assert normalise_requirement(written, UrlSecrets()) == canonical
    assert normalise_requirement(canonical, UrlSecrets()) == canonical


@pytest.mark.parametrize(
    "written", ["./here", "../x.whl", "/abs/x.whl", ".", "file:///x.whl", "foo bar", "==1"]
)
def test_refused(written: str) -> None:
    with pytest.raises(UserErrorException, match="Pip package"):
        normalise_requirement(written, UrlSecrets())


def test_error_hides_credentials() -> None:
    with pytest.raises(UserErrorException) as caught:
        normalise_requirement("foo bar @ https://me:hunter2@host/x", UrlSecrets())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("-i https://me:p@host/simple", "--index-url https://host/simple"),
        ("--index-url=https://host/simple", "--index-url https://host/simple"),
        ("--extra-index-url  https://host", "--extra-index-url https://host"),
        ("-f https://host/links", "--find-links https://host/links"),
        ("--pre", "--pre"),
    ],
)
def test_options(written: str, canonical: str) -> None:
    assert normalise_option(written, UrlSecrets()) == canonical


@pytest.mark.parametrize(
    "written", ["-e .", "--target /x", "--index-url", "--pre yes", "-c limits.txt", "---"]
)
def test_options_refused(written: str) -> None:
    with pytest.raises(UserErrorException, match="option"):
        normalise_option(written, UrlSecrets())


def test_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("numpy>=1\n-r ../last.txt\n")
    (tmp_path / "last.txt").write_text("pandas\n")
    top = tmp_path / "requirements.txt"
    top.write_text(
        "# top\n\nsix==1.0 \\\n  --hash=sha256:aa  # why\n-r more/base.txt\n--pre\nx@ https://h/#egg=x\n"
    )
    expected = ["six==1.0    --hash=sha256:aa", "numpy>=1", "pandas", "--pre", "x@ https://h/#egg=x"]
    assert read_requirements_file(top) == expected


def test_file_that_includes_itself(tmp_path: Path) -> None:
    top = tmp_path / "requirements.txt"
    top.write_text("-r requirements.txt\n")
    with pytest.raises(UserErrorException, match="includes itself"):
        read_requirements_file(top)
    with pytest.raises(UserErrorException, match="cannot be read"):
        read_requirements_file(tmp_path / "missing.txt")


def test_small_parts() -> None:
    assert list(logical_lines("a\r\n\n # x\nb # y\n")) == ["a", "b"]
    assert [
        requirement_name(line) for line in ("A_b[c]>=1", "git+https://h/x", "--pre", "x @ https://h/y")
    ] == [
        "a-b",
        "",
        "",
        "x",
    ]
