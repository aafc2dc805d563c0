"""What a script finds around it: variables, another Python, and nothing that is the worker's secret."""

from __future__ import annotations

import json
import shutil
import textwrap

import pytest
from airflow.sdk import DAG

from mlsteps import CondaDependencies, LocalCompute, PipelineData, RunConfiguration
from steps.project import Project, states

SECRET = "s3cret-that-nobody-may-see"

# Everything that a script can reach of itself, of whoever started it, and of its folders, in one file.
DUMP = """
    import os, sys
    from pathlib import Path
    seen = [repr(dict(os.environ))]
    pid = os.getpid()
    ancestors = []
    while pid > 1 and len(ancestors) < 3:
        ancestors.append(pid)
        for name in ("environ", "cmdline"):
            try:
                content = Path(f"/proc/{pid}/{name}").read_bytes()
                seen.append(f"{pid} {name}: " + content.decode("utf-8", "replace"))
            except OSError as error:
                seen.append(f"{pid} {name}: {error}")
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for root in (Path.cwd().parent, Path(os.environ["MLSTEPS_RUN_DIRECTORY"])):
        for file in sorted(root.rglob("*")):
            if file.is_file():
                seen.append(f"{file}: " + file.read_bytes().decode("utf-8", "replace"))
    Path(sys.argv[1]).write_text("\\n".join(seen))
"""


@pytest.mark.smoke
def test_script_sees_nothing_of_the_workers_secrets(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW_CONN_BLOB",
        "AIRFLOW_VAR_TOKEN",
        "_AIRFLOW_PROCESS",
        "AZURE_CLIENT_SECRET",
        "AZURE_STORAGE_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_URL",
        "SOME_TOKEN",
        "PASSWORD",
    ):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv(
        "AIRFLOW_CONN_SECRETIVE",
        json.dumps({"conn_type": "mlsteps", "password": SECRET, "extra": {"folder": str(project.folder)}}),
    )
    from mlsteps import Workspace

    seen = PipelineData("seen")
    with DAG("secrets") as dag:
        project.step("dump", DUMP, outputs=[seen], arguments=[seen], workspace=Workspace(conn_id="secretive"))
    run = project.run(dag)
    record = project.record(run, "dump")
    assert not run.failed, record.error
    text = project.output(record, "seen").read_text()
    assert "MLSTEPS_RUN_DIRECTORY" in text
    assert "launcher" in text
    assert SECRET not in text
    for name in ("AIRFLOW__", "AIRFLOW_CONN", "AIRFLOW_CTX", "AIRFLOW_VAR"):
        assert name not in text
    everything = b"".join(file.read_bytes() for file in project.folder.rglob("*") if file.is_file())
    assert SECRET.encode() not in everything


def test_variables_that_are_asked_for_are_passed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANTED", "passed")
    monkeypatch.setenv("UNWANTED", "kept back")
    monkeypatch.setenv("AIRFLOW_CONN_X", "kept back")
    configuration = RunConfiguration()
    configuration.environment.environment_variables["OF_ENVIRONMENT"] = "too"
    configuration.environment_variables["OWN"] = "own"
    configuration.environment_variables["PATH_LIKE"] = "$HOME"
    names = ("WANTED", "UNWANTED", "AIRFLOW_CONN_X", "OWN", "OF_ENVIRONMENT", "PATH_LIKE")
    show = f"import json, os; print(json.dumps({{name: os.environ.get(name) for name in {names}}}))"
    with DAG("passed") as dag:
        project.step(
            "show",
            show,
            runconfig=configuration,
            compute_target=LocalCompute(pass_environment=["WANTED", "AIRFLOW_CONN_X"]),
        )
        refused = RunConfiguration()
        refused.environment_variables = {"AIRFLOW__CORE__FERNET_KEY": "x"}
        project.step("refused", show, runconfig=refused)
    run = project.run(dag)
    assert states(run) == {"show": "success", "refused": "failed"}
    record = project.record(run, "show")
    printed = project.workspace.record_store().read(f"{record.try_folder}/stdout.log").decode()
    assert json.loads(printed) == {
        "WANTED": "passed",
        "UNWANTED": None,
        "AIRFLOW_CONN_X": None,
        "OWN": "own",
        "OF_ENVIRONMENT": "too",
        "PATH_LIKE": "$HOME",
    }
    assert "'AIRFLOW__CORE__FERNET_KEY' is Airflow's own" in str(project.record(run, "refused").error)


def test_script_in_a_folder_imports_from_the_root_of_its_snapshot(project: Project) -> None:
    from mlsteps import PythonScriptStep

    project.script("shared/__init__.py", "")
    project.script("shared/tools.py", "answer = 42")
    project.script("jobs/beside.py", "number = 1")
    project.script("jobs/run.py", "from shared.tools import answer\nimport beside\nassert answer == 42")
    with DAG("imports") as dag:
        PythonScriptStep("jobs/run.py", source_directory=project.source)
    run = project.run(dag)
    assert not run.failed, project.record(run, "jobs_run.py").error


def _has_python(version: str) -> bool:
    from mlsteps.environment.interpreters import find_interpreter
    from mlsteps.exceptions import MlstepsException

    try:
        find_interpreter(version)
    except MlstepsException:
        return False
    return True


@pytest.mark.skipif(not _has_python("3.10"), reason="there is no Python 3.10 on this machine")
@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on this machine")
def test_script_runs_in_another_python_than_the_workers(project: Project) -> None:
    configuration = RunConfiguration()
    dependencies = CondaDependencies()
    dependencies.set_python_version("3.10")
    configuration.environment.python.conda_dependencies = dependencies
    note = project.note("python")
    configuration.environment_variables = {"NOTE": str(note)}
    text = textwrap.dedent(
        """
        import json, os, sys
        from mlsteps.run import Run
        run = Run.get_context()
        run.log("minor", sys.version_info[1])
        try:
            import airflow
            found = True
        except ImportError:
            found = False
        told = {"version": sys.version_info[:2], "airflow": found, "name": run.name}
        json.dump(told, open(os.environ["NOTE"], "w"))
        """
    )
    with DAG("another_python") as dag:
        project.step("old", text, runconfig=configuration)
    run = project.run(dag)
    record = project.record(run, "old")
    assert not run.failed, record.error
    assert json.loads(note.read_text()) == {"version": [3, 10], "airflow": False, "name": "old"}
    assert record.metrics == {"minor": 10}
