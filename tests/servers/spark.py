"""Apache Spark for tests: Java from Debian, PySpark from the package index, in a folder of its own.

It is not among the development tools, as it is larger than all of them; two tests need it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from servers.debian import ServerMissing, find_or_install, skip_or_fail

ROOT = Path(__file__).parents[2]
_INSTALL_SECONDS = 600
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
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise ServerMissing("Needs uv to install PySpark.")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder)]
    try:
        subprocess.run(
            [*command, "--constraints", str(constraints), "pyspark"],
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
            timeout=_INSTALL_SECONDS,
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise ServerMissing(f"PySpark cannot be installed: {error.stderr[-1000:]}") from None
    except subprocess.TimeoutExpired as error:
        raise ServerMissing(f"PySpark cannot be installed: {error}") from None
    return str(folder)
