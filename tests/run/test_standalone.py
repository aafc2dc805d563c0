"""The package in other processes: nothing but its own folder on the path, and other Pythons."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlsteps.run
from mlsteps.run.context import RunContext
from mlsteps.run.journal import read_events
from mlsteps.run.lifecycle import declared_end
from mlsteps.run.metrics import aggregate
from mlsteps.run.protocol import CONTEXT_FILE, JOURNAL_FILE, RUN_DIRECTORY_VARIABLE

SOURCE = Path(mlsteps.run.__file__).parent

SCRIPT = """
import sys, os, threading
sys.path.insert(0, sys.argv[1])
from mlsteps.run import Run, _OfflineRun
run = Run.get_context()
assert not run.id.startswith("OfflineRun") and not isinstance(run, _OfflineRun)
run.log("python", "%d.%d" % sys.version_info[:2])
run.log("loss", float("nan"))
os.makedirs("outputs", exist_ok=True)
open("outputs/m.pkl", "w").close()
model = run.register_model(model_name="churn", model_path="outputs/m.pkl", tags={"a": 1})
assert model.version == 5, model
threads = [threading.Thread(target=run.log, args=("t", n)) for n in range(20)]
[t.start() for t in threads]
[t.join() for t in threads]
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        run.log("forked", 1)
        os._exit(0)
    os.waitpid(child, 0)
run.upload_folder("copy", "outputs")
run.parent.tag("champion", "no")
run.parent.cancel()
with run.child_run("c") as c:
    c.log_table("t", {"x": [1, 2]})
run.get_metrics(recursive=True)
run.download_file("copy/m.pkl", "back")
foreign = {name.partition(".")[0] for name in sys.modules} & {"airflow", "numpy", "pandas", "matplotlib"}
assert not foreign, foreign
run.complete()
"""


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder with nothing but the run package and what it may import."""
    package = tmp_path / "lib" / "mlsteps"
    shutil.copytree(SOURCE, package / "run", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE.parent / "exceptions.py", package)
    (package / "__init__.py").touch()
    return package.parent


def pythons() -> list[str]:
    """This Python, and the others that pyenv has, of the versions that scripts may run on."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [sys.executable] + [
        str(p) for minor in (9, 13) for p in root.glob(f"versions/3.{minor}.*/bin/python")
    ]


def test_python_39_was_tried() -> None:
    if not any("3.9." in python for python in pythons()) and sys.version_info[:2] != (3, 9):
        pytest.skip("no Python 3.9 below ~/.pyenv: the oldest supported version goes untested here")


@pytest.mark.parametrize("python", pythons())
def test_a_script_in_a_clean_environment(
    python: str, alone: Path, tmp_path: Path, context: RunContext
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / CONTEXT_FILE).write_text(context.to_json())
    done = subprocess.run(
        [python, "-I", "-S", "-W", "error", "-c", SCRIPT, str(alone)],
        env={RUN_DIRECTORY_VARIABLE: str(folder)},
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    events = read_events(folder / JOURNAL_FILE)
    metrics = aggregate(events, "self")
    assert sorted(metrics["t"]) == list(range(20))
    assert metrics["forked"] == 1
    assert {event["target"] for event in events} >= {"self", "parent"}
    end = declared_end(events)
    assert end is not None
    assert end.status == "Completed"


def test_import_time(alone: Path) -> None:
    resource = pytest.importorskip("resource")

    def milliseconds(code: str) -> float:
        """Processor time of a Python that runs ``code``: other load on the machine hardly counts in it."""

        def spent() -> float:
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return float(usage.ru_utime + usage.ru_stime)

        before = spent()
        subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
        return (spent() - before) * 1000

    start = f"import sys; sys.path.insert(0, {str(alone)!r})"
    ours = f"{start}; import mlsteps.run"
    milliseconds(ours)  # writes the byte code
    base = min(milliseconds(start) for _ in range(7))
    assert min(milliseconds(ours) for _ in range(7)) - base < 40
