from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.environment.machine_settings import installer_variables


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine whose user has no settings; its machine-wide ones do not matter either."""
    return {"HOME": str(tmp_path), "PATH": "/bin", "PIP_CONFIG_FILE": "/dev/null"}


def test_pip_variables_are_handed_to_uv(machine: dict[str, str]) -> None:
    machine |= {
        "PIP_INDEX_URL": "https://one/simple",
        "PIP_EXTRA_INDEX_URL": "https://two https://three",
        "PIP_FIND_LINKS": "/a /b",
        "PIP_CERT": "/ca.pem",
        "PIP_TRUSTED_HOST": "two",
    }
    given = installer_variables(False, machine)
    assert given["UV_INDEX_URL"] == "https://one/simple"
    assert given["UV_EXTRA_INDEX_URL"] == "https://two https://three"
    assert given["UV_FIND_LINKS"] == "/a,/b"
    assert given["SSL_CERT_FILE"] == "/ca.pem"
    assert given["UV_INSECURE_HOST"] == "two"
    assert given["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "UV_INDEX_URL" not in installer_variables(True, machine)


def test_pip_files_are_handed_to_uv(machine: dict[str, str], tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    named.write_text(
        "[global]\nindex-url = https://named/simple\nextra-index-url =\n    https://a\n    https://b\n"
    )
    user = tmp_path / ".config" / "pip" / "pip.conf"
    user.parent.mkdir(parents=True)
    user.write_text("[install]\nfind_links = /links\nindex-url = https://user/simple\n[broken")
    given = installer_variables(False, machine | {"PIP_CONFIG_FILE": str(named)})
    assert given["UV_INDEX_URL"] == "https://named/simple"
    assert given["UV_EXTRA_INDEX_URL"] == "https://a https://b"
    user.write_text("[install]\nfind_links = /links\n")
    assert installer_variables(False, machine | {"PIP_CONFIG_FILE": str(named)})["UV_FIND_LINKS"] == "/links"


def test_settings_for_uv_stay(machine: dict[str, str], tmp_path: Path) -> None:
    machine["PIP_INDEX_URL"] = "https://pip/simple"
    given = installer_variables(False, machine | {"UV_DEFAULT_INDEX": "https://uv/simple"})
    assert given["UV_DEFAULT_INDEX"] == "https://uv/simple"
    assert "UV_INDEX_URL" not in given
    file = tmp_path / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert "UV_INDEX_URL" not in installer_variables(False, machine)


def test_nothing_of_airflow_reaches_build_scripts(machine: dict[str, str]) -> None:
    machine |= {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "x",
        "AIRFLOW_CONN_BLOB": "x",
        "PYTHONPATH": "/x",
        "CC": "gcc",
    }
    given = installer_variables(False, machine)
    assert not {name for name in given if name.startswith("AIRFLOW")}
    assert "PYTHONPATH" not in given
    assert given["CC"] == "gcc"
