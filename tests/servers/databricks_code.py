"""The code of runs on the tests' double of Databricks: really run, by this Python, in a process of its own.

``dbutils.widgets.get``, ``getArgument`` and ``dbutils.notebook.exit`` are there; nothing else of ``dbutils``,
and no Spark.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

_SHIM = """
import json, sys, traceback, types
from pathlib import Path
file, said, kind, given = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
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
names = {"__name__": "__main__", "__file__": str(file)}
if kind == "notebook":
    names["getArgument"] = Widgets().get
    names["dbutils"] = types.SimpleNamespace(widgets=Widgets(), notebook=Notebook())
else:
    sys.argv = [str(file), *given]
    sys.path.insert(0, str(file.parent))
try:
    exec(compile(file.read_text(), str(file), "exec"), names)
except Exit:
    pass
except SystemExit as end:
    if end.code not in (None, 0):
        answer["error"] = f"SystemExit: {end.code}"
except Exception as error:
    answer["error"] = f"{type(error).__name__}: {error}"
    answer["error_trace"] = traceback.format_exc()
said.write_text(json.dumps(answer))
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
    """

    def __init__(self, file: Path, parameters: dict[str, str] | list[str], folder: Path) -> None:
        folder.mkdir(parents=True)
        self._said = folder / "said.json"
        kind = "notebook" if isinstance(parameters, dict) else "script"
        words = [str(file), str(self._said), kind, json.dumps(parameters)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SHIM, *words],
            cwd=folder,
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
