"""Azure ML's curated environments by name: ordinary packages in their place, no image of Microsoft's.

A name says framework, version and sometimes Python: ``AzureML-sklearn-0.24-ubuntu18.04-py37-cpu``. The
framework's version is kept; Python is the newest that it has wheels for, because the versions in old names
(3.6, 3.7) are hardly installed anywhere; beside it stand the packages that scripts of that age expect.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlsteps.environment.conda_dependencies import CondaDependencies
from mlsteps.environment.environment import Environment

PREFIX = "AzureML-"

KNOWN_NAMES = (
    "AzureML-ACPT-pytorch-1.13-py38-cuda11.7-gpu",
    "AzureML-Minimal",
    "AzureML-PyTorch-1.6-CPU",
    "AzureML-PyTorch-1.6-GPU",
    "AzureML-Scikit-learn-0.20.3",
    "AzureML-TensorFlow-2.2-CPU",
    "AzureML-TensorFlow-2.2-GPU",
    "AzureML-Tutorial",
    "AzureML-lightgbm-3.2-ubuntu18.04-py37-cpu",
    "AzureML-pytorch-1.10-ubuntu18.04-py38-cuda11-gpu",
    "AzureML-sklearn-0.24-ubuntu18.04-py37-cpu",
    "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu",
    "AzureML-tensorflow-2.4-ubuntu18.04-py37-cuda11-gpu",
    "AzureML-xgboost-0.9-ubuntu18.04-py37-cpu-inference",
)
"""Some of the names that public code uses, for listing. Others of the same build are understood as well."""

# What scripts for SDK v1 were written against; newer releases took away names that they use.
_OF_THE_AGE = ("joblib", "matplotlib<3.8", "numpy<1.24", "pandas<2", "scipy<1.12", "tqdm")
_AGED_SKLEARN = "scikit-learn<1.2"
_AGED_PYTHON = "3.10"


@dataclass(frozen=True)
class _Framework:
    """A framework: its package, what stands beside it, and the Python for each of its versions.

    ``pythons`` holds pairs (first version, Python), rising; below the first there are no wheels any more.
    """

    package: str
    beside: tuple[str, ...]
    pythons: tuple[tuple[tuple[int, int], str], ...]


_FRAMEWORKS = {
    "sklearn": _Framework(
        "scikit-learn",
        _OF_THE_AGE,
        (((0, 20), "3.7"), ((0, 22), "3.8"), ((0, 24), "3.9"), ((1, 0), "3.10"), ((1, 3), "3.12")),
    ),
    "pytorch": _Framework(
        "torch",
        ("torchvision", *_OF_THE_AGE),
        (((1, 4), "3.8"), ((1, 8), "3.9"), ((1, 11), "3.10"), ((2, 0), "3.11")),
    ),
    "tensorflow": _Framework(
        "tensorflow",
        ("matplotlib", "pandas", "scikit-learn"),
        (
            ((1, 15), "3.7"),
            ((2, 2), "3.8"),
            ((2, 5), "3.9"),
            ((2, 8), "3.10"),
            ((2, 12), "3.11"),
            ((2, 16), "3.12"),
        ),
    ),
    "lightgbm": _Framework("lightgbm", (_AGED_SKLEARN, *_OF_THE_AGE), (((2, 0), _AGED_PYTHON),)),
    "xgboost": _Framework("xgboost", (_AGED_SKLEARN, *_OF_THE_AGE), (((0, 9), _AGED_PYTHON),)),
    "onnxruntime": _Framework("onnxruntime", ("numpy",), (((1, 0), _AGED_PYTHON),)),
    "dask": _Framework("dask[complete]", ("pandas",), (((1, 0), _AGED_PYTHON),)),
}
_NAME = re.compile(
    r"^AzureML-(?:ACPT-)?(?P<framework>scikit-learn|sklearn|pytorch|tensorflow|lightgbm|xgboost|onnxruntime|dask)"
    r"(?:-(?P<version>\d+\.\d+)[\d.]*)?(?:-.*)?$",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"^AzureML-(?:Minimal|Base)(?:-.*)?$", re.IGNORECASE)
_TUTORIAL = re.compile(r"^AzureML-Tutorial(?:-.*)?$", re.IGNORECASE)

_log = logging.getLogger(__name__)


def is_curated(name: str) -> bool:
    """Return whether ``name`` is of the kind that Azure ML keeps for its own environments."""
    return name.lower().startswith(PREFIX.lower())


def curated_environment(name: str) -> Environment:
    """Return what stands for a curated environment here; no network, no file.

    A framework that is not known gives the packages of ``AzureML-Tutorial`` (numpy, pandas, scikit-learn,
    matplotlib and others of the age of SDK v1) with a warning. ``AzureML-Minimal`` asks for nothing.
    """
    made = Environment(name)
    made.version = "1"
    match = _NAME.match(name)
    if match:
        made.python.conda_dependencies = _framework(match["framework"].lower(), match["version"])
    elif not _NOTHING.match(name):
        if not _TUTORIAL.match(name):
            _log.warning(
                "There is nothing that stands for the curated environment %s: its packages are those of "
                "AzureML-Tutorial. Register an environment of your own, and list what the script needs.",
                name,
            )
        made.python.conda_dependencies = _packages(_AGED_PYTHON, (_AGED_SKLEARN, *_OF_THE_AGE))
    return made


def _framework(name: str, version: str | None) -> CondaDependencies:
    framework = _FRAMEWORKS["sklearn" if name == "scikit-learn" else name]
    python = framework.pythons[-1][1]
    if version is None:
        return _packages(python, (framework.package, *framework.beside))
    major, minor = map(int, version.split("."))
    python = framework.pythons[0][1]
    for first, newest in framework.pythons:
        if (major, minor) >= first:
            python = newest
    # "xgboost 0.9" is 0.90, the only release of that number
    pinned = f"{framework.package}=={'0.90' if (name, version) == ('xgboost', '0.9') else version + '.*'}"
    return _packages(python, (pinned, *framework.beside))


def _packages(python: str, requirements: Sequence[str]) -> CondaDependencies:
    return CondaDependencies.create(pip_packages=requirements, python_version=python)
