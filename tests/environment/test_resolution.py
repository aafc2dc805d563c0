from __future__ import annotations

import logging

import pytest

from mlsteps.environment import CondaDependencies
from mlsteps.environment import resolution as module
from mlsteps.environment.resolution import is_sdk_package, python_spec


@pytest.fixture(autouse=True)
def _forget_what_was_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_logged", set())


def test_everything_together(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dependencies = CondaDependencies.create(
        pip_indexurl="https://me:hunter2@host/simple",
        pip_packages=["azureml-defaults", "azureml-dataset-runtime[fuse,pandas]~=1.0", "Joblib == 1.2.0"],
        conda_packages=["scikit-learn=1.3", "pip=20", "cudatoolkit=10.1", "pytorch"],
        python_version="3.8.13",
    )
    resolved = python_spec(dependencies)
    assert resolved.spec.python == "3.8"
    assert resolved.spec.requirements == ("joblib==1.2.0", "pandas", "scikit-learn==1.3.*", "torch")
    assert resolved.spec.options == ("--index-url https://host/simple",)
    assert [note.split(" is ")[0] for note in resolved.notes] == [
        "azureml-defaults",
        "azureml-dataset-runtime",
        "conda package 'cudatoolkit=10.1'",
    ]
    assert resolved.secrets.reveal_all("https://host/simple") == "https://me:hunter2@host/simple"
    assert "hunter2" not in f"{resolved}{resolved.spec.to_plain()}{caplog.text}"


def test_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        python_spec(CondaDependencies.create(pip_packages=["azureml-core"]))
    assert len(caplog.records) == 1


def test_sdk_packages() -> None:
    names = ["azureml-core", "azureml_sdk[notebooks]==1.0", "AzureML-Train"]
    assert all(map(is_sdk_package, names))
    assert not any(map(is_sdk_package, ["azure-ai-ml", "azure-core", "x-azureml-y", "--pre"]))
