"""Names of Azure ML's curated environments give ordinary packages."""

from __future__ import annotations

import logging

import pytest

from mlsteps.environment import EnvironmentKind, plan_environment
from mlsteps.environment.curated import KNOWN_NAMES, curated_environment
from mlsteps.environment.plan import EnvironmentPlan
from mlsteps.workspace import Workspace


def planned(name: str) -> EnvironmentPlan:
    return plan_environment(curated_environment(name))


@pytest.mark.parametrize(
    ("name", "python", "requirement"),
    [
        ("AzureML-sklearn-0.24-ubuntu18.04-py37-cpu-inference", "3.9", "scikit-learn==0.24.*"),
        ("AzureML-Scikit-learn-0.20.3", "3.7", "scikit-learn==0.20.*"),
        ("AzureML-sklearn-1.0-ubuntu20.04-py38-cpu", "3.10", "scikit-learn==1.0.*"),
        ("AzureML-PyTorch-1.6-GPU", "3.8", "torch==1.6.*"),
        ("AzureML-ACPT-pytorch-1.13-py38-cuda11.7-gpu", "3.10", "torch==1.13.*"),
        ("azureml-pytorch-1.10-ubuntu18.04-py38-cuda11-gpu", "3.9", "torch==1.10.*"),
        ("AzureML-TensorFlow-2.2-GPU", "3.8", "tensorflow==2.2.*"),
        ("AzureML-tensorflow-2.16-cuda12", "3.12", "tensorflow==2.16.*"),
        ("AzureML-lightgbm-3.2-ubuntu18.04-py37-cpu", "3.10", "lightgbm==3.2.*"),
        ("AzureML-xgboost-0.9-ubuntu18.04-py37-cpu-inference", "3.10", "xgboost==0.90"),
        ("AzureML-Tutorial", "3.10", "scikit-learn<1.2"),
    ],
)
def test_a_framework_keeps_its_version(name: str, python: str, requirement: str) -> None:
    plan = planned(name)
    assert plan.spec is not None and plan.kind is EnvironmentKind.VIRTUALENV
    assert plan.spec.python == python
    assert requirement in plan.spec.requirements
    assert "matplotlib" in str(plan.spec.requirements)


def test_the_minimal_one_asks_for_nothing() -> None:
    assert planned("AzureML-Minimal").kind is EnvironmentKind.WORKER


def test_an_unknown_one_is_the_tutorials_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        unknown = planned("AzureML-Designer-NLP")
    assert unknown == planned("AzureML-Tutorial")
    assert "AzureML-Designer-NLP: its packages are those of AzureML-Tutorial" in caplog.text


def test_names_that_are_listed_need_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for name in KNOWN_NAMES:
            planned(name)
    assert caplog.text == ""


def test_a_workspace_is_not_asked_for_them() -> None:
    environment = Workspace(folder="/nowhere").environments["AzureML-Tutorial"]
    assert environment.name == "AzureML-Tutorial"
