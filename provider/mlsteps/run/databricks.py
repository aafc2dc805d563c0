"""The run of code on a Databricks cluster: its folder lies on the storage of its data.

The code is told where by the widget ``mlsteps_run`` or the argument ``--mlsteps_run``. Nobody starts a
launcher there, and no environment variable can be set on a cluster that is running.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from mlsteps.exceptions import RunEnvironmentException
from mlsteps.run.context import RunContext
from mlsteps.run.protocol import CONTEXT_FILE, RUN_PLACE
from mlsteps.run.run import Run
from mlsteps.run.sent import SentHome
from mlsteps.run.submitted import run_of

# Set on every cluster, and on serverless machines.
RUNTIME_VARIABLE = "DATABRICKS_RUNTIME_VERSION"

_LARGEST_TEXT = 64 * 1024 * 1024


def told_place() -> str:
    """The URL or path of this run's folder; empty where nobody told of one."""
    option = f"--{RUN_PLACE}"
    if option in sys.argv[:-1]:
        return sys.argv[sys.argv.index(option) + 1]
    try:
        return str(_dbutils().widgets.get(RUN_PLACE))
    except Exception:  # of a class that no Python code can import: there is no such widget
        return ""


def open_there(url: str) -> Run:
    """The run that is described in a folder that the cluster reads and writes.

    Raises:
        RunEnvironmentException: the description cannot be read.
    """
    place = ClusterPlace(url.rstrip("/"))
    try:
        text = place.read(CONTEXT_FILE)
    except Exception as error:  # py4j and each storage driver have errors of their own
        raise RunEnvironmentException(
            f"The run's context at {url} cannot be read: {type(error).__name__}: {error}. The "
            f"code has to be able to read there as it reads its inputs."
        ) from error
    context = RunContext.from_json(text)
    return run_of(context, SentHome(tempfile.mkdtemp(prefix="mlsteps-run-"), place))


@dataclass(frozen=True)
class ClusterPlace:
    """A folder by its ``url``: a path of the cluster's, or what Spark has a driver for."""

    url: str

    def read(self, name: str) -> str:
        """The text of a file."""
        if self._is_path:
            with open(f"{self.url}/{name}", encoding="utf-8") as file:
                return file.read()
        return str(_dbutils().fs.head(f"{self.url}/{name}", _LARGEST_TEXT))

    def write(self, name: str, text: str) -> None:
        """Write or replace a file, at once: Volumes take no other writing."""
        if self._is_path:
            with open(self._made(name), "w", encoding="utf-8") as file:
                file.write(text)
        else:
            _dbutils().fs.put(f"{self.url}/{name}", text, True)

    def put(self, source: str, name: str) -> None:
        """Copy a file of the driver."""
        if self._is_path:
            shutil.copyfile(source, self._made(name))
        else:
            _dbutils().fs.cp(f"file:{source}", f"{self.url}/{name}")

    @property
    def _is_path(self) -> bool:
        return self.url.startswith("/")

    def _made(self, name: str) -> str:
        path = f"{self.url}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path


def _dbutils() -> Any:
    """What a notebook has as ``dbutils``, from wherever this runtime has it."""
    found = getattr(sys.modules.get("__main__"), "dbutils", None)
    if found is not None:
        return found
    try:
        from importlib import import_module

        return import_module("databricks.sdk.runtime").dbutils
    except Exception:  # older runtimes have no such package, or one without it
        from importlib import import_module

        session = import_module("pyspark.sql").SparkSession.builder.getOrCreate()
        return import_module("pyspark.dbutils").DBUtils(session)
