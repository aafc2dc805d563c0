"""The code of runs on the tests' double of Databricks: really run, by this Python, in a process of its own.

Notebooks are Databricks' source format or Jupyter's; lines of magic are left out. Of ``dbutils`` there are
``widgets.get`` and ``text``, ``notebook.exit`` and the verbs of ``fs`` below, and ``getArgument``. URLs that
``mounts`` names are folders here, or blobs that the signature in the cluster's settings opens; ``/Workspace``
is a folder where Python looks for modules. ``spark`` is real in tests that ask for the fixture of that name,
and is missing elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servers.databricks_files import Files
from servers.spark import spark_packages

_SHIM = """
import json, os, pkgutil, shutil, sys, traceback, types, urllib.parse, urllib.request
from pathlib import Path
file, said, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
given, mounts, conf, spark_packages = map(json.loads, sys.argv[4:])
answer = {}
class Exit(BaseException): pass
class Widgets:
    def get(self, name):
        if name not in given:
            raise Exception(f"InputWidgetNotDefined: No input widget named {name} is defined")
        return given[name]
    def text(self, name, default, label=""): given.setdefault(name, default)
class Notebook:
    def exit(self, value):
        answer["result"] = str(value)
        raise Exit
def here(url):
    if url.startswith("file:"):
        return Path(url[5:])
    for begin, folder in mounts.items():
        if url.startswith(begin):
            return Path(folder + url[len(begin):])
    raise Exception(f"java.io.IOException: No FileSystem for {url}")
def blob(method, url, data=None):
    for begin, address in mounts.items():
        if url.startswith(begin) and address.startswith("http"):
            token = conf.get("spark.hadoop.fs.azure.sas.fixed.token." + begin.partition("@")[2], "")
            headers = {"x-ms-version": "2021-08-06", "x-ms-blob-type": "BlockBlob"}
            address += urllib.parse.quote(url[len(begin):]) + "?" + token
            return urllib.request.Request(address, data, headers, method=method)
def sent(request):
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()
class Fs:
    def head(self, url, most=65536):
        request = blob("GET", url)
        data = sent(request) if request else here(url).read_bytes()
        return data[:most].decode()
    def put(self, url, text, overwrite=False):
        request = blob("PUT", url, text.encode())
        if request:
            sent(request)
            return True
        if here(url).exists() and not overwrite:
            raise Exception(f"java.nio.file.FileAlreadyExistsException: {url}")
        here(url).parent.mkdir(parents=True, exist_ok=True)
        here(url).write_text(text)
        return True
    def cp(self, source, target, recurse=False):
        if source.startswith("file:") and here(source).is_file():
            request = blob("PUT", target, here(source).read_bytes())
            if request:
                sent(request)
                return True
        here(target).parent.mkdir(parents=True, exist_ok=True)
        if here(source).is_dir() and not recurse:
            raise Exception(f"java.io.IOException: {source} is a directory")
        copy = shutil.copytree if here(source).is_dir() else shutil.copyfile
        copy(here(source), here(target))
        return True
def finder(path):
    for begin in ("/Workspace/", "dbfs:/", "/dbfs/", "/Volumes/"):
        if path.startswith(begin) and begin in mounts:
            return pkgutil.get_importer(mounts[begin] + path[len(begin):])
    raise ImportError(path)
sys.path_hooks.insert(0, finder)
def code(text):
    if text.startswith("{"):
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        text = "\\n".join("".join(cell["source"]) + "\\n" for cell in cells)
    return "\\n".join("" if line.startswith("%") else line for line in text.split("\\n"))
names = {"__name__": "__main__", "__file__": str(file)}
widgets = Widgets() if kind == "notebook" else None
dbutils = types.SimpleNamespace(fs=Fs(), notebook=Notebook(), widgets=widgets)
sys.modules["databricks"] = sys.modules["databricks.sdk"] = types.ModuleType("databricks.sdk")
sys.modules["databricks.sdk.runtime"] = types.SimpleNamespace(dbutils=dbutils)
if spark_packages:
    sys.path.append(spark_packages)
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")  # it soon ends
    names["spark"] = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
if kind == "notebook":
    names["getArgument"] = Widgets().get
    names["dbutils"] = dbutils  # as this module has it, too
else:
    del dbutils
    sys.argv = [str(file), *given]
    sys.path.insert(0, str(file.parent))
try:
    exec(compile(code(file.read_text()), str(file), "exec"), names)
except Exit:
    pass
except SystemExit as end:
    if end.code not in (None, 0):
        answer["error"] = f"SystemExit: {end.code}"
except Exception as error:
    answer["error"] = f"{type(error).__name__}: {error}"
    answer["error_trace"] = traceback.format_exc()
said.write_text(json.dumps(answer))
if spark_packages:
    names["spark"].stop()
os.kill(os.getpid(), 9)  # nobody tells Python that it ends there
"""


@dataclass
class Ended:
    """How code ended: its error if it had one, and what it printed."""

    error: str | None
    error_trace: str
    result: str | None
    printed: str


class RunningCode:
    """A notebook or script that runs.

    :param parameters: Widgets by name of a notebook, arguments of a script.
    :param folder: For what it leaves.
    :param conf: Settings of its cluster.
    """

    def __init__(
        self,
        file: Path,
        parameters: dict[str, str] | list[str],
        folder: Path,
        files: Files,
        conf: Mapping[str, str],
    ) -> None:
        folder.mkdir(parents=True)
        self._said = folder / "said.json"
        kind = "notebook" if isinstance(parameters, dict) else "script"
        spark = spark_packages() if "spark" in file.read_text() else ""
        plain = map(json.dumps, (parameters, files.mounted, dict(conf), spark))
        words = [str(file), str(self._said), kind, *plain]
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-I", "-S", "-c", _SHIM, *words],
            cwd=folder,
            env={**os.environ, "DATABRICKS_RUNTIME_VERSION": "15.4"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lock = threading.Lock()

    def end(self) -> None:
        """Stop it, as when its cluster goes away."""
        self._process.kill()

    def wait(self) -> Ended:
        printed, _ = self._process.communicate()
        answer = json.loads(self._said.read_text()) if self._said.is_file() else {"error": "killed"}
        return Ended(answer.get("error"), answer.get("error_trace", ""), answer.get("result"), printed)
