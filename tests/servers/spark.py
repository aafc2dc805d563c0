"""Apache Spark for tests: Java from Debian, PySpark from the package index, in a folder of its own.

It is not among the development tools, as it is larger than all of them; two tests need it.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from servers.debian import ServerMissing, find_or_install, skip_or_fail
from servers.packages import uv

ROOT = Path(__file__).parents[2]
_packages = ""


def spark_packages() -> str:
    """The folder of packages that PySpark is in; empty while no test asked for it."""
    return _packages


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Real Spark, on one processor core: code on the double of Databricks has it from now on."""
    global _packages
    try:
        find_or_install(_java, "openjdk-17-jre-headless")
        _packages = _installed() or _install(tmp_path_factory.mktemp("spark"))
    except ServerMissing as missing:
        skip_or_fail(missing)


def _java() -> Path | None:
    found = shutil.which("java")
    return Path(found) if found else None


def _installed() -> str:
    found = importlib.util.find_spec("pyspark")
    return str(Path(found.origin).parents[1]) if found and found.origin else ""


def _install(folder: Path) -> str:
    constraints = ROOT / ".ci" / "constraints" / "airflow-3.3.txt"
    where = ["--python", sys.executable, "--target", folder, "--constraints", constraints]
    uv("PySpark", "pip", "install", "--quiet", *where, "pyspark")
    return str(folder)
