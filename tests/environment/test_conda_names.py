from __future__ import annotations

import pytest

from mlsteps.environment.conda_names import conda_name, parse_conda_package
from mlsteps.exceptions import UserErrorException


@pytest.mark.parametrize(
    ("conda", "pip"),
    [
        ("numpy", "numpy"),
        ("numpy=1.21", "numpy==1.21.*"),
        ("numpy==1.21", "numpy==1.21"),
        ("numpy =1.21", "numpy==1.21.*"),
        ("numpy 1.21", "numpy==1.21"),
        ("numpy 1.21.*", "numpy==1.21.*"),
        ("numpy=1.21.*", "numpy==1.21.*"),
        ("numpy=1.21*", "numpy==1.21.*"),
        ("numpy>=1.21,<2", "numpy>=1.21,<2"),
        ("numpy >=1.21, <2", "numpy>=1.21,<2"),
        ("numpy>=1.21.*", "numpy>=1.21"),
        ("numpy!=1.21.*", "numpy!=1.21.*"),
        ("numpy=1.21.2=py38h20f2e39_0", "numpy==1.21.2"),
        ("numpy 1.21.2 py38h20f2e39_0", "numpy==1.21.2"),
        ("numpy[version='>=1.21,<2']", "numpy>=1.21,<2"),
        ("numpy=*", "numpy"),
        ("conda-forge::numpy=1.21", "numpy==1.21.*"),
        ("Typing_Extensions", "typing-extensions"),
        ("pytorch=1.13", "torch==1.13.*"),
        ("py-xgboost", "xgboost"),
        ("python-dotenv", "python-dotenv"),
        ("scikit-learn=0.23.2", "scikit-learn==0.23.2.*"),
        ("ruamel_yaml", "ruamel.yaml"),
        ("tqdm=4.62.3=pyhd3eb1b0_1", "tqdm==4.62.3"),
    ],
)
def test_translation(conda: str, pip: str) -> None:
    package = parse_conda_package(conda)
    assert package.is_python_package
    assert package.requirement == pip


@pytest.mark.parametrize(
    "conda",
    [
        "cudatoolkit=10.1",
        "gcc_linux-64",
        "_libgcc_mutex=0.1=main",
        "r-base",
        "zlib=1.2.11=h7b6447c_3",
        "nomkl",
    ],
)
def test_not_python(conda: str) -> None:
    assert not parse_conda_package(conda).is_python_package


@pytest.mark.parametrize("conda", ["numpy=1.2|1.3", "=1.2", "?"])
def test_not_expressible(conda: str) -> None:
    with pytest.raises(UserErrorException, match="Conda package"):
        parse_conda_package(conda)


def test_name() -> None:
    assert conda_name("conda-forge::Scikit_Learn=1.0") == "scikit-learn"
    assert conda_name("_openmp_mutex=4.5") == "_openmp_mutex"
    assert conda_name("!") == ""
