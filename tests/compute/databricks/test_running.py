"""Runs on Databricks, on a double of it that really runs their code; see ``servers.databricks_double``."""

from __future__ import annotations

import pytest

from compute.databricks.there import CLUSTER, LONG, NOTEBOOK, There, eventually, once_it_runs
from mlsteps import DatabricksCompute
from mlsteps.compute import JobSuspended
from mlsteps.compute.databricks import api
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.environment import DatabricksCluster
from mlsteps.exceptions import ComputeTargetException

ODD = "a;b=c \"d\" 'e'\nf || g |- {h} \\i $(j) ä"

COPY = """
text = open(dbutils.widgets.get("raw")).read()
open(dbutils.widgets.get("made"), "w").write(text + dbutils.widgets.get("more"))
dbutils.notebook.exit("42 rows")
"""


def test_a_notebook_reads_and_writes_data_and_gets_values_as_they_are(there: There) -> None:
    there.bench.put("in.txt", "abc")
    outcome = there.run(
        there.notebook(COPY, "more"),
        ODD,
        inputs=(there.bench.reads("raw", "in.txt"),),
        outputs=(there.bench.writes("made", "out.txt"),),
    )
    assert outcome.error is None
    assert there.bench.store.read("out.txt").decode() == "abc" + ODD
    manifest = outcome.manifests["made"]
    assert (manifest.kind, manifest.bytes) == ("file", len(("abc" + ODD).encode()))
    assert there.printed("stdout") == ["42 rows"]
    assert outcome.environment["databricks_run_id"] == 101
    assert "#job" in outcome.environment["run_page_url"]


SPARK = """
frame = spark.read.csv(dbutils.widgets.get("raw"), header=True, inferSchema=True)
frame.groupBy("kind").sum("n").withColumnRenamed("sum(n)", "n").coalesce(1).write.parquet(
    dbutils.widgets.get("made")
)
dbutils.notebook.exit(str(spark.read.parquet(dbutils.widgets.get("made")).count()))
"""


@pytest.mark.xdist_group("spark")
@pytest.mark.usefixtures("spark")
def test_real_spark_reads_and_writes_data(there: There) -> None:
    there.bench.put("in.csv", "kind,n\na,1\nb,2\na,3\n")
    outcome = there.run(
        there.notebook(SPARK),
        inputs=(there.bench.reads("raw", "in.csv"),),
        outputs=(there.bench.writes("made", "out"),),
    )
    assert outcome.error is None, there.bench.lines
    assert there.printed("stdout") == ["2"]
    assert any(file.path.endswith(".parquet") for file in outcome.manifests["made"].files)


SCRIPT = """
import sys
from below import word
args = dict(zip(sys.argv[2::2], sys.argv[3::2]))
open(args["--made"], "w").write(sys.argv[1] + word)
print("args", sorted(args))
"""


@pytest.mark.parametrize("upload_to", ["/Shared/mlsteps", "dbfs:/mlsteps", "/Volumes/main/ml/a b#"])
def test_a_script_is_uploaded_with_its_folder_once(there: There, upload_to: str) -> None:
    (there.bench.root / "src").mkdir(parents=True)
    (there.bench.root / "src" / "below.py").write_text("word = 'below'")
    task = DatabricksTask("S", "uploaded", "main.py", CLUSTER)
    outputs = (there.bench.writes("made", "out.txt"),)
    settings = {"upload_to": upload_to}
    outcome = there.run(task, ODD, script=SCRIPT, outputs=outputs, settings=settings)
    assert outcome.error is None, there.bench.lines
    assert there.bench.store.read("out.txt").decode() == ODD + "below"
    assert "--AZUREML_SCRIPT_DIRECTORY_NAME" in there.printed("stdout")[0]
    requests = len(there.double.requests)
    again = there.run(task, "x", script=SCRIPT, outputs=outputs, settings=settings, id="job.2")
    assert again.error is None
    writing = ("import", "mkdirs", "create", "add-block")
    later = there.double.requests[requests:]
    assert not [path for method, path, _ in later if method == "PUT" or path.endswith(writing)]


def test_a_busy_volume_is_asked_again_and_a_right_that_is_missing_there_is_told(there: There) -> None:
    databricks = api.Databricks(DatabricksCompute("dbx", databricks_conn_id="DBX"))
    databricks.make_folder("/Volumes/a/b/c/d")
    there.double.next_answers = [429, 503]
    databricks.write("/Volumes/a/b/c/d/e", b"x")
    assert list(databricks.read("/Volumes/a/b/c/d/e")) == [b"x"]
    there.double.next_answers = [429] * 20
    with pytest.raises(ComputeTargetException, match="could not write '/Volumes/a/b/c/d/e'.*too often"):
        databricks.write("/Volumes/a/b/c/d/e", b"y")
    there.double.next_answers = []
    there.double.forbidden = {"2.0/fs/files"}
    with pytest.raises(api.DatabricksRefusal, match="PERMISSION_DENIED.*list of rights"):
        databricks.write("/Volumes/a/b/c/d/e", b"y")


def test_a_large_file_gets_to_dbfs_and_back_in_pieces(there: There) -> None:
    databricks = api.Databricks(DatabricksCompute("dbx", databricks_conn_id="DBX"))
    data = bytes(range(256)) * 8000
    databricks.write("dbfs:/large/file", data)
    assert b"".join(databricks.read("dbfs:/large/file")) == data


def test_a_job_that_is_handed_over_again_finds_its_run(there: There) -> None:
    there.double.start_seconds = 0.2
    task = there.notebook("")
    settings = {"deferrable": True}
    with pytest.raises(JobSuspended) as waiting:
        there.run(task, settings=settings)
    assert waiting.value.trigger.endswith("DatabricksExecutionTrigger")
    assert waiting.value.settings["run_id"] == 101
    assert "token" not in str(waiting.value.settings)
    eventually(lambda: there.double.runs[101].told()["state"].get("result_state"))
    assert there.run(task, settings=settings, resumed=True).error is None
    assert len(there.double.submitted) == 1
    with pytest.raises(JobSuspended):
        there.run(task, settings=settings, id="job.2")
    assert len(there.double.submitted) == 2


def test_a_run_that_was_left_too_early_is_stayed_with(there: There) -> None:
    there.double.start_seconds = 0.2
    task, settings = there.notebook(""), {"deferrable": True}
    with pytest.raises(JobSuspended):
        there.run(task, settings=settings)
    assert there.run(task, settings=settings, resumed=True).error is None
    assert len(there.double.submitted) == 1


def test_the_next_try_ends_the_run_of_one_whose_worker_died(there: There) -> None:
    task, settings = there.notebook(LONG), {"deferrable": True}
    with pytest.raises(JobSuspended):  # and nobody comes back
        there.run(task, settings=settings, step="step", id="step.1")
    there.double.files.put("/Shared/nb", NOTEBOOK)
    assert there.run(task, step="step", id="step.2").error is None
    assert there.double.runs[101].told()["state"]["result_state"] == "CANCELED"
    assert any("Run 101 of an earlier try" in line for line in there.printed("databricks"))
    assert there.run(task, step="step", id="step.3").error is None
    assert there.double.runs[102].told()["state"]["result_state"] == "SUCCESS"
    assert not list(there.bench.store.list("mlsteps/databricks"))


def test_a_lost_answer_does_not_start_a_second_run(there: There) -> None:
    there.double.lost_answers = [500]
    assert there.run(there.notebook("")).error is None
    assert len(there.double.submitted) == 1


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_busy_workspace_is_asked_again(there: There, status: int) -> None:
    there.double.next_answers = [status, status]
    assert there.run(there.notebook("")).error is None


def test_a_workspace_that_stays_busy_is_an_error_that_names_it(there: There) -> None:
    there.double.next_answers = [429] * 20
    with pytest.raises(ComputeTargetException, match="(?s)'dbx', connection 'DBX': could not look for"):
        there.run(there.notebook(""))


def test_the_phases_of_a_slow_start_are_told(there: There) -> None:
    there.double.start_seconds = 0.15
    assert there.run(there.notebook("import time; time.sleep(0.2)")).error is None
    told = there.printed("databricks")
    assert any("pending: Waiting for cluster" in line for line in told)
    assert any("running: In run" in line for line in told)


def test_code_that_fails_tells_its_error_and_where(there: There) -> None:
    outcome = there.run(there.notebook("def f(): raise KeyError('no such column')\nf()"))
    assert outcome.error is not None and "KeyError: 'no such column'" in outcome.error
    assert "Databricks run 101 failed" in outcome.error and "/run/101" in outcome.error
    assert outcome.by_script
    assert any("in f" in line for line in there.printed("stderr"))
    assert not outcome.manifests


def test_code_that_makes_no_output_fails(there: There) -> None:
    outcome = there.run(there.notebook(""), outputs=(there.bench.writes("made", "nothing"),))
    assert outcome.missing_outputs == ("made",)
    assert outcome.error is not None and "made no 'made'" in outcome.error
    assert outcome.by_script


def test_a_run_that_takes_too_long_is_stopped_there(there: There) -> None:
    outcome = there.run(there.notebook(LONG, timeout_seconds=1))
    assert outcome.error is not None and "longer than timeout_seconds" in outcome.error
    assert outcome.by_script


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("CLOUD_FAILURE", "Azure quota exceeded: SkuNotAvailable for Standard_D3_v2", "no such machines"),
        ("UNAUTHORIZED_ERROR", "User does not have permission to create clusters", "needs that right"),
        ("LIBRARY_INSTALLATION_ERROR", "Library installation failed for nosuch==1", "could not be installed"),
    ],
)
def test_a_cluster_that_does_not_start_says_what_to_do(
    there: There, code: str, message: str, advice: str
) -> None:
    there.double.refuse_start = (code, message)
    outcome = there.run(there.notebook(""))
    assert outcome.error is not None
    assert message in outcome.error and advice in outcome.error and "could not be run" in outcome.error


def test_a_missing_notebook_is_named(there: There) -> None:
    outcome = there.run(there.notebook("", what="/Shared/none"))
    assert outcome.error is not None and "/Shared/none" in outcome.error and "path" in outcome.error


def test_a_cluster_that_goes_away_is_told(there: There) -> None:
    once_it_runs(there, lambda: there.double.terminate_cluster(101))
    outcome = there.run(there.notebook(LONG))
    assert outcome.error is not None and "SPOT_INSTANCE_TERMINATION" in outcome.error
    assert "retries" in outcome.error
    assert not outcome.by_script


def test_a_lost_run_is_an_error_that_says_so(there: There) -> None:
    once_it_runs(there, lambda: there.double.lose(101))
    with pytest.raises(ComputeTargetException, match="look at run 101: Run 101 does not exist"):
        there.run(there.notebook(LONG))


def test_a_right_that_is_missing_is_told_with_what_to_do(there: There) -> None:
    there.double.forbidden = {"2.2/jobs/runs/submit"}
    with pytest.raises(ComputeTargetException, match="(?s)PERMISSION_DENIED.*list of rights"):
        there.run(there.notebook(""))


def test_a_stopped_task_cancels_its_run(there: There) -> None:
    once_it_runs(there, there.bench.watcher.stop)
    outcome = there.run(there.notebook(LONG))
    assert outcome.error is not None and "stopped" in outcome.error
    assert there.double.runs[101].told()["state"]["result_state"] == "CANCELED"


def test_a_task_that_was_stopped_starts_no_run(there: There) -> None:
    there.bench.watcher.stop()
    assert there.run(there.notebook("")).error is not None
    assert not there.double.submitted


@pytest.mark.parametrize(("state", "runs"), [("RUNNING", 1), ("TERMINATED", 0)])
def test_a_cluster_that_may_not_be_started_is_left_alone(there: There, state: str, runs: int) -> None:
    there.double.clusters["c-1"] = {"state": state}
    cluster = DatabricksCluster(existing_cluster_id="c-1", permit_cluster_restart=False)
    task = there.notebook("", cluster=cluster)
    if runs:
        assert there.run(task).error is None
    else:
        with pytest.raises(ComputeTargetException, match="permit_cluster_restart=False"):
            there.run(task)
    assert len(there.double.submitted) == runs


def test_data_that_a_cluster_cannot_reach_is_refused_before_anything_runs(there: There) -> None:
    there.bench.put("in.txt", "abc")
    task = there.notebook("")
    inputs = (there.bench.reads("raw", "in.txt"),)
    with pytest.raises(ComputeTargetException, match="'raw', on compute target 'dbx'.*places"):
        there.run(task, inputs=inputs, settings={"places": {}})
    assert not there.double.submitted
