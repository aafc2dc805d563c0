"""The request for a run: where each argument of SDK v1 ends up, in fields that the public API has."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from mlsteps import DatabricksCompute, DatabricksStep, PipelineParameter
from mlsteps.compute.databricks.on_task import DatabricksTaskTarget
from mlsteps.compute.databricks.parameters import JobValues, PortUrl
from mlsteps.compute.databricks.request import idempotency_token, submit_request
from mlsteps.environment import (
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    RCranLibrary,
    RunConfiguration,
)
from servers.databricks_fields import problem_with

TARGET = DatabricksCompute("dbx", spark_version="15.4.x-scala2.12", node_type="Standard_D3_v2")
NOTEBOOK = {"notebook_path": "/Shared/nb"}
JAR = {"main_class_name": "a.Main", "jar_libraries": [JarLibrary("dbfs:/a.jar")]}
ODD = "a;b=c \"d\" 'e'\nf || g |- {h} \\i $(j) ä"
PORTS = (PortUrl("raw", "$in", "abfss://c@a.dfs.core.windows.net/raw"), PortUrl("made", "$out", "/Volumes/m"))


def request_of(values: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """What is asked for with a step, whose tokens have these values; the public API knows every field."""
    given = {"num_workers": 2, **arguments}
    if given.get("existing_cluster_id") or given.get("serverless") or "min_workers" in given:
        del given["num_workers"]
    step = DatabricksStep("S", compute_target=TARGET, **given)
    target = step.resolve_compute_target()
    assert isinstance(target, DatabricksTaskTarget)
    texts = tuple((values or {}).get(str(text), str(text)) for text in step.arguments)
    directory = "/Shared/mlsteps/abc" if target.task.kind == "uploaded" else None
    job = JobValues(
        texts, PORTS, {"AML_PARAMETER_lr": "0.1", "AZUREML_RUN_ID": "r", "MLSTEPS_X": "x"}, directory
    )
    request = submit_request(target.target, target.task, job, "the name", idempotency_token("job"))
    sent: dict[str, Any] = json.loads(json.dumps(request))
    assert problem_with("POST", "2.2/jobs/runs/submit", sent) is None
    return sent


def at(request: dict[str, Any], path: str) -> Any:
    """What is at ``new_cluster.spark_conf`` of the task, or at ``/run_name`` of the run."""
    found: Any = request if path.startswith("/") else request["tasks"][0]
    for word in path.lstrip("/").split("."):
        found = found[int(word) if word.isdigit() else word]
    return found


LIBRARIES: dict[str, Any] = {
    "maven_libraries": (
        [MavenLibrary("g:a:1", repo="https://r", exclusions=["x:y"])],
        {"maven": {"coordinates": "g:a:1", "repo": "https://r", "exclusions": ["x:y"]}},
    ),
    "pypi_libraries": (
        [PyPiLibrary("p==1", "https://r")],
        {"pypi": {"package": "p==1", "repo": "https://r"}},
    ),
    "egg_libraries": ([EggLibrary("dbfs:/e.egg")], {"egg": "dbfs:/e.egg"}),
    "jar_libraries": ([JarLibrary("dbfs:/j.jar")], {"jar": "dbfs:/j.jar"}),
    "rcran_libraries": ([RCranLibrary("r")], {"cran": {"package": "r"}}),
}

# argument -> what is given with it, its value, where it ends up, as what
TABLE: dict[str, tuple[dict[str, Any], Any, str, Any]] = {
    "existing_cluster_id": (NOTEBOOK, "c-1", "existing_cluster_id", "c-1"),
    "spark_version": (NOTEBOOK, "14.3.x", "new_cluster.spark_version", "14.3.x"),
    "node_type": (NOTEBOOK, "Standard_E8", "new_cluster.node_type_id", "Standard_E8"),
    "instance_pool_id": (NOTEBOOK, "pool", "new_cluster.instance_pool_id", "pool"),
    "num_workers": (NOTEBOOK, 3, "new_cluster.num_workers", 3),
    "min_workers": ({**NOTEBOOK, "max_workers": 4}, 1, "new_cluster.autoscale.min_workers", 1),
    "max_workers": ({**NOTEBOOK, "min_workers": 1}, 4, "new_cluster.autoscale.max_workers", 4),
    "spark_env_variables": (NOTEBOOK, {"A": "b"}, "new_cluster.spark_env_vars", {"A": "b"}),
    "spark_conf": (NOTEBOOK, {"a.b": "c"}, "new_cluster.spark_conf", {"a.b": "c"}),
    "init_scripts": (
        NOTEBOOK,
        ["/Shared/i.sh", "dbfs:/i.sh", "/Volumes/i.sh"],
        "new_cluster.init_scripts",
        [
            {"workspace": {"destination": "/Shared/i.sh"}},
            {"dbfs": {"destination": "dbfs:/i.sh"}},
            {"volumes": {"destination": "/Volumes/i.sh"}},
        ],
    ),
    "cluster_log_dbfs_path": (
        NOTEBOOK,
        "dbfs:/logs",
        "new_cluster.cluster_log_conf",
        {"dbfs": {"destination": "dbfs:/logs"}},
    ),
    "notebook_path": ({}, "/Shared/nb", "notebook_task.notebook_path", "/Shared/nb"),
    "notebook_params": (NOTEBOOK, {"a": ODD}, "notebook_task.base_parameters.a", ODD),
    "python_script_path": ({}, "dbfs:/s.py", "spark_python_task.python_file", "dbfs:/s.py"),
    "python_script_params": (
        {"python_script_path": "dbfs:/s.py"},
        [ODD],
        "spark_python_task.parameters.0",
        ODD,
    ),
    "main_class_name": (
        {"jar_libraries": [JarLibrary("dbfs:/a.jar")]},
        "a.Main",
        "spark_jar_task.main_class_name",
        "a.Main",
    ),
    "jar_params": (JAR, [ODD], "spark_jar_task.parameters.0", ODD),
    "run_name": (NOTEBOOK, "build 7", "/run_name", "build 7"),
    "timeout_seconds": (NOTEBOOK, 60, "/timeout_seconds", 60),
    **{name: (NOTEBOOK, given, "libraries.0", sent) for name, (given, sent) in LIBRARIES.items()},
}
# argument -> the test that shows what becomes of it
ELSEWHERE = {
    "name": "test_a_run_without_a_name_is_called_by_its_step",
    "inputs": "test_data_is_named_to_a_notebook_by_widgets_and_to_scripts_by_arguments",
    "outputs": "test_data_is_named_to_a_notebook_by_widgets_and_to_scripts_by_arguments",
    "python_script_name": "test_an_uploaded_script_is_run_where_it_was_uploaded_to",
    "source_directory": "test_an_uploaded_script_is_run_where_it_was_uploaded_to",
    "runconfig": "test_libraries_and_cluster_of_a_runconfig_end_up_as_the_arguments_do",
    "permit_cluster_restart": "test_a_restart_is_a_question_for_the_cluster_and_no_field",
    # Of the step, and not of the run.
    "hash_paths": "",
    "compute_target": "",
    "allow_reuse": "",
    "version": "",
}


def test_the_table_has_every_argument_of_sdk_v1() -> None:
    parameters = inspect.signature(DatabricksStep.__init__).parameters.values()
    v1 = {one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD} - {"self"}
    assert v1 == TABLE.keys() | ELSEWHERE.keys()
    assert {test for test in ELSEWHERE.values() if test} <= globals().keys()


@pytest.mark.parametrize("argument", TABLE)
def test_an_argument_ends_up_in_its_field(argument: str) -> None:
    others, given, path, sent = TABLE[argument]
    assert at(request_of(**{**others, argument: given}), path) == sent


def test_a_run_without_a_name_is_called_by_its_step() -> None:
    assert request_of(**NOTEBOOK)["run_name"] == "the name"


@pytest.mark.parametrize("value", [ODD, "", "=", ";", '"', "\n", "'; DROP", "||", "|-", "a=b;c=d"])
def test_values_of_parameters_arrive_as_they_are(value: str) -> None:
    lr = PipelineParameter("lr", "0")
    token = {str(lr): value}
    assert (
        at(request_of(token, **NOTEBOOK, notebook_params={"x": lr}), "notebook_task.base_parameters.x")
        == value
    )
    # As in SDK v1 it stands for two arguments.
    arguments = at(
        request_of(token, python_script_path="dbfs:/s", python_script_params=["a", lr, "b"]),
        "spark_python_task",
    )
    assert arguments["parameters"][:4] == ["a", "lr", value, "b"]
    assert at(request_of(token, **JAR, jar_params=[lr]), "spark_jar_task.parameters")[:2] == ["lr", value]


def test_data_is_named_to_a_notebook_by_widgets_and_to_scripts_by_arguments() -> None:
    widgets = at(request_of(**NOTEBOOK), "notebook_task.base_parameters")
    assert widgets == {
        "raw": PORTS[0].url,
        "made": PORTS[1].url,
        "AML_PARAMETER_lr": "0.1",
        "--AZUREML_RUN_ID": "r",
    }
    for request in (request_of(**JAR), request_of(python_script_path="dbfs:/s")):
        (code,) = (value for key, value in request["tasks"][0].items() if key.endswith("_task"))
        told = ["--raw", PORTS[0].url, "--made", PORTS[1].url, "--AML_PARAMETER_lr", "0.1"]
        assert code["parameters"] == [*told, "--AZUREML_RUN_ID", "r"]


def test_data_in_the_users_own_values_is_a_url(tmp_path: Path) -> None:
    job = JobValues(("--to=$out/x", "$in"), PORTS)
    assert job.filled_in == ("--to=/Volumes/m/x", PORTS[0].url)


def test_an_uploaded_script_is_run_where_it_was_uploaded_to(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "s.py").touch()
    task = request_of(python_script_name="a b/s.py", source_directory=tmp_path)["tasks"][0][
        "spark_python_task"
    ]
    assert (task["python_file"], task["source"]) == ("/Shared/mlsteps/abc/a b/s.py", "WORKSPACE")
    assert task["parameters"][-2:] == ["--AZUREML_SCRIPT_DIRECTORY_NAME", "/Shared/mlsteps/abc"]


def test_libraries_and_cluster_of_a_runconfig_end_up_as_the_arguments_do() -> None:
    runconfig = RunConfiguration()
    runconfig.max_run_duration_seconds = 77
    section = runconfig.environment.databricks
    section.cluster = DatabricksCluster(num_workers=1, spark_version="14.3.x")
    for name, (given, _) in LIBRARIES.items():
        setattr(section, name, given)
    step = DatabricksStep("S", **NOTEBOOK, runconfig=runconfig, compute_target=TARGET)
    task = step.databricks_task
    sent = submit_request(TARGET, task, JobValues(), "n", "t")
    assert sent["timeout_seconds"] == 77
    assert at(sent, "new_cluster.spark_version") == "14.3.x"
    expected = [one for _, one in LIBRARIES.values()]
    assert sorted(at(sent, "libraries"), key=list) == sorted(expected, key=list)


def test_a_restart_is_a_question_for_the_cluster_and_no_field() -> None:
    plain = {**NOTEBOOK, "existing_cluster_id": "c"}
    assert request_of(**plain, permit_cluster_restart=True) == request_of(**plain)


def test_a_new_cluster_is_that_of_the_compute_target_where_nothing_is_said() -> None:
    assert at(request_of(**NOTEBOOK), "new_cluster") == {
        "spark_version": "15.4.x-scala2.12",
        "node_type_id": "Standard_D3_v2",
        "num_workers": 2,
        "spark_env_vars": {"PYSPARK_PYTHON": "/databricks/python3/bin/python3"},
    }


def test_no_workers_are_a_single_machine() -> None:
    cluster = at(request_of(**NOTEBOOK, num_workers=0, spark_conf={"a": "b"}), "new_cluster")
    assert cluster["spark_conf"]["spark.master"] == "local[*]" and cluster["spark_conf"]["a"] == "b"
    assert cluster["custom_tags"] == {"ResourceClass": "SingleNode"}


def test_further_fields_of_a_cluster_are_passed_on() -> None:
    options = {"policy_id": "p", "data_security_mode": "SINGLE_USER"}
    cluster = at(request_of(**NOTEBOOK, cluster_options=options), "new_cluster")
    assert options.items() <= cluster.items()


def test_serverless_code_has_an_environment_and_no_cluster() -> None:
    sent = request_of(
        python_script_path="/Shared/s.py",
        serverless=True,
        environment_version="2",
        pypi_libraries=[PyPiLibrary("p==1")],
    )
    assert sent["environments"][0]["spec"] == {"environment_version": "2", "dependencies": ["p==1"]}
    task = sent["tasks"][0]
    assert task["environment_key"] == sent["environments"][0]["environment_key"]
    assert not {"new_cluster", "existing_cluster_id", "libraries"} & task.keys()
    assert "environments" not in request_of(**NOTEBOOK, serverless=True)


def test_an_accounts_key_is_named_and_never_sent() -> None:
    target = DatabricksCompute("dbx", credentials="secret", secret_scope="scope")
    setting = "fs.azure.account.key.a.dfs.core.windows.net"  # by Hadoop's own name, for a notebook
    ports = (PortUrl("raw", "$in", PORTS[0].url, "a-key", setting),)
    step = DatabricksStep("S", **NOTEBOOK, num_workers=1, compute_target=target)
    sent = submit_request(target, step.databricks_task, JobValues(ports=ports), "n", "t")
    assert at(sent, "new_cluster.spark_conf") == {f"spark.hadoop.{setting}": "{{secrets/scope/a-key}}"}
    widgets = at(sent, "notebook_task.base_parameters")
    assert (widgets["raw_blob_secretname"], widgets["raw_blob_config"]) == ("a-key", setting)


def test_a_token_is_a_trys_own() -> None:
    assert idempotency_token("a") == idempotency_token("a") != idempotency_token("b")
    assert len(idempotency_token("a")) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: sent.update(runname="x"),
        lambda sent: sent["tasks"][0].update(notebook={}),
        lambda sent: sent["tasks"][0]["new_cluster"].update(node_type="x"),
        lambda sent: sent["tasks"][0]["notebook_task"].update(parameters={}),
        lambda sent: sent["tasks"][0].update(libraries=[{"pip": {"package": "x"}}]),
        lambda sent: sent["tasks"][0].update(existing_cluster_id="both"),
    ],
)
def test_a_field_that_the_api_has_not_is_found(change: Any) -> None:
    sent = request_of(**NOTEBOOK)
    change(sent)
    assert problem_with("POST", "2.2/jobs/runs/submit", sent) is not None
