"""What of the worker's environment a script sees."""

from __future__ import annotations

import os

import pytest

from mlsteps.compute.script_environment import check_variables, script_environment
from mlsteps.exceptions import UserErrorException

HARMLESS = {
    "PATH": "/bin",
    "HOME": "/h",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "TZ": "UTC",
    "CUDA_VISIBLE_DEVICES": "0",
}
SECRETS = [
    "AIRFLOW_HOME", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_DB", "AIRFLOW_VAR_X", "AIRFLOW_CTX_DAG_ID",
    "_AIRFLOW_WWW_USER_PASSWORD", "__AIRFLOW_SUPERVISOR_FD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_CONNECTION_STRING",
    "MSI_SECRET", "IDENTITY_HEADER", "GOOGLE_APPLICATION_CREDENTIALS", "DATABASE_URL", "DATABRICKS_TOKEN",
    "GITHUB_TOKEN", "SSH_AUTH_SOCK", "KUBECONFIG", "MLSTEPS_WORKSPACE", "LC_SECRET",
    "HTTPS_PROXY", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "LD_PRELOAD", "airflow_home_secret",
    "PGPASSWORD", "KRB5CCNAME",
]  # fmt: skip


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name in (*HARMLESS, *SECRETS):
        monkeypatch.setenv(name, HARMLESS.get(name, "secret"))


@pytest.mark.usefixtures("environment")
def test_what_programs_need_is_passed_and_no_secret() -> None:
    assert script_environment() == HARMLESS


@pytest.mark.usefixtures("environment")
def test_what_is_declared_is_passed_too() -> None:
    got = script_environment(["DATABASE_URL", "NOT_SET"])
    assert got == {**HARMLESS, "DATABASE_URL": "secret"}


@pytest.mark.usefixtures("environment")
def test_airflow_s_own_is_never_passed() -> None:
    assert script_environment(["AIRFLOW_HOME", "_AIRFLOW_WWW_USER_PASSWORD", "AIRFLOW_CONN_DB"]) == HARMLESS


@pytest.mark.parametrize("name", ["AIRFLOW_HOME", "AIRFLOW__CORE__X", "_AIRFLOW_X", "AIRFLOW_CONN_A"])
def test_airflow_s_settings_cannot_be_declared(name: str) -> None:
    with pytest.raises(UserErrorException, match=f"environment_variables: the variable '{name}'"):
        check_variables({"A": "1", name: "x"}, "environment_variables")
    check_variables({"A": "1", "MY_AIRFLOW": "x"}, "environment_variables")
