"""A lock: what a spec was resolved to, for one Python and all platforms."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from environment.conftest import make_wheel
from mlsteps.environment import CondaDependencies, EnvironmentLock, PythonEnvironmentSpec, locking
from mlsteps.environment.lock import locked_lines
from mlsteps.environment.locking import minor_version, resolve
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.resolution import python_spec
from mlsteps.exceptions import EnvironmentBuildError

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def resolved(spec: PythonEnvironmentSpec, python: str = MINOR) -> EnvironmentLock:
    return resolve(spec, python, lambda line: None, UrlSecrets())


def test_each_package_has_one_version(offline: tuple[str, ...]) -> None:
    lock = resolved(PythonEnvironmentSpec(None, ("TinyOne<2", "tinytwo"), offline))
    assert lock.packages == ("tinyone==1.0", "tinytwo==1.0")
    assert lock.versions == {"tinyone": "1.0", "tinytwo": "1.0"}
    assert (lock.python, lock.options, lock.resolver) == (MINOR, offline, "uv")
    assert EnvironmentLock.from_plain(lock.to_plain()) == lock


def test_packages_that_others_need_are_in_it(tmp_path: Path) -> None:
    make_wheel(tmp_path, "below", "3.0")
    make_wheel(tmp_path, "above", "1.0", requires=("below>=2", "nothere; sys_platform == 'win32'"))
    options = ("--no-index", f"--find-links {tmp_path}")
    assert resolved(PythonEnvironmentSpec(None, ("above",), options)).packages == (
        "above==1.0",
        "below==3.0",
    )


def test_another_python_may_have_other_versions(tmp_path: Path) -> None:
    make_wheel(tmp_path, "moving", "1.0")
    make_wheel(tmp_path, "moving", "2.0", python=">=3.12")
    spec = PythonEnvironmentSpec(None, ("moving",), ("--no-index", f"--find-links {tmp_path}"))
    assert resolved(spec, "3.11").packages == ("moving==1.0",)
    assert resolved(spec, "3.12").packages == ("moving==2.0",)


def test_what_only_some_platforms_need_keeps_its_marker(tmp_path: Path) -> None:
    make_wheel(tmp_path, "apple", "1.0")
    spec = PythonEnvironmentSpec(
        None, ("apple; sys_platform == 'darwin'",), ("--no-index", f"--find-links {tmp_path}")
    )
    (line,) = resolved(spec).packages
    assert line.startswith("apple==1.0;") and "darwin" in line


def test_lines_that_never_hold_for_the_python_are_left_out() -> None:
    text = "\n".join(
        [
            "a==1 ; python_full_version < '3.12'",
            "a==2 ; python_full_version >= '3.12'",
            "b==1 ; sys_platform == 'win32'",
            "c==1 ; platform_machine == 'x86_64'",
            "d==1 ; sys_platform != 'win32' \\",
            "    --hash=sha256:02 \\",
            "    --hash=sha256:01",
            "e @ https://user:word@host/e-1-py3-none-any.whl",
        ]
    )
    secrets = UrlSecrets()
    assert locked_lines(text, "3.11", secrets) == (
        "a==1",
        'c==1; platform_machine == "x86_64"',
        "d==1 --hash=sha256:01 --hash=sha256:02",
        "e @ https://host/e-1-py3-none-any.whl",
    )
    assert secrets.reveal_all("e @ https://host/e-1-py3-none-any.whl").endswith(
        "user:word@host/e-1-py3-none-any.whl"
    )


def test_its_digest_is_of_what_is_installed_only() -> None:
    first = EnvironmentLock("3.11", ("a==1",), (), "2026-01-01", "uv")
    assert first.digest == EnvironmentLock("3.11", ("a==1",), (), "2027-01-01", "other").digest
    others = [
        EnvironmentLock("3.12", ("a==1",)),
        EnvironmentLock("3.11", ("a==2",)),
        EnvironmentLock("3.11", ("a==1",), ("--pre",)),
    ]
    assert first.digest not in {other.digest for other in others}


def test_nothing_to_install_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "find_uv", lambda: None)
    assert resolved(PythonEnvironmentSpec("3.10"), "3.10") == EnvironmentLock("3.10", ())


def test_without_uv_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "find_uv", lambda: None)
    with pytest.raises(EnvironmentBuildError, match="uv is not installed on this machine"):
        resolved(PythonEnvironmentSpec(None, ("tinyone",)))


def test_contradicting_requirements_are_told(offline: tuple[str, ...]) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"(?s)Resolving .*tinyone.*ended with exit code 1"):
        resolved(PythonEnvironmentSpec(None, ("tinyone==3.0",), offline))


def test_a_conda_package_that_the_index_does_not_have_is_named(offline: tuple[str, ...]) -> None:
    asked = CondaDependencies.create(conda_packages=["tinyone", "only-conda-has-this=1.0"])
    for option in reversed(offline):
        asked.set_pip_option(option)
    with pytest.raises(EnvironmentBuildError, match="no package 'only-conda-has-this' .* a real conda"):
        resolved(python_spec(asked).spec)


def test_an_index_that_cannot_be_reached_is_told_without_its_credentials() -> None:
    asked = python_spec(
        CondaDependencies.create(
            pip_indexurl="http://someuser:hunter2@127.0.0.1:9/simple", pip_packages=["tinyone"]
        )
    )
    lines: list[str] = []
    with pytest.raises(EnvironmentBuildError, match=r"127\.0\.0\.1:9") as caught:
        resolve(asked.spec, MINOR, lines.append, asked.secrets)
    assert "hunter2" not in f"{caught.value}{lines}"
    assert "someuser" not in f"{caught.value}{lines}"


def test_settings_of_a_project_around_it_do_not_count(
    tmp_path: Path, offline: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'x'\nversion = '1'\n[tool.uv]\nconstraint-dependencies = ['tinyone<2']\n"
    )
    monkeypatch.chdir(tmp_path)
    assert resolved(PythonEnvironmentSpec(None, ("tinyone",), offline)).packages == ("tinyone==2.0",)


@pytest.mark.parametrize(
    ("wanted", "image", "expected"),
    [
        ("3.8", None, "3.8"),
        ("3.8", "3.12", "3.8"),
        (None, "3.12", "3.12"),
        (None, None, MINOR),
        (">=3.8", None, MINOR),
    ],
)
def test_which_python_it_is_for(wanted: str | None, image: str | None, expected: str) -> None:
    assert minor_version(PythonEnvironmentSpec(wanted, ("x",)), image) == expected
