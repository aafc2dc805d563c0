"""A job that shares nothing with the worker but a storage account: real processes, and Azurite."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

from compute.jobs import Bench, wait_for
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput, JobOutcome, JobOutput, StepJob
from mlsteps.compute.staged import SharedFolder, StagedJob, StagingArea
from mlsteps.compute.staged.area import home_among
from mlsteps.compute.staged.layout import Layout
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import ComputeTargetException, DataNotFoundException, UserErrorException
from mlsteps.launcher.digest import digest_bytes
from mlsteps.launcher.result import JobResult
from servers.azurite import azurite, blob_store, put_named

__all__ = ["azurite"]


class Elsewhere:
    """Jobs in processes that know nothing but what a staged job hands over."""

    def __init__(self, root: Path, azurite: Azurite) -> None:
        self.bench = Bench(root / "worker")
        self.store = blob_store(azurite)
        self.root = root / "there"
        self.root.mkdir(parents=True)
        self.folders: list[SharedFolder] = []
        self.staged: StagedJob | None = None
        self.variables: dict[str, str] = {}

    def reads(self, name: str, path: str, mode: str = "mount", **more: Any) -> JobInput:
        return JobInput(name, f"$in_{name}", f"IN_{name}", self.store, path, mode, **more)

    def writes(self, name: str, path: str, **settings: Any) -> JobOutput:
        return replace(self.bench.writes(name, path, **settings), store=self.store)

    def stage(self, job: StepJob) -> StagedJob:
        layout = Layout(job, str(self.root), sys.executable, {}, self.folders)
        self.staged = StagedJob(job, layout, StagingArea.of_job(self.store, job.id), 600)
        assert self.staged.area.make()
        self.variables = self.staged.stage(self.bench.watcher)
        return self.staged

    def start(self) -> subprocess.Popen[bytes]:
        assert self.staged is not None
        command = self.staged.command(sys.executable)
        environment = {"PATH": os.environ["PATH"], "OF_THE_IMAGE": "1", **self.variables}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe)

    def run(self, script: str, *arguments: str, **changes: Any) -> JobOutcome:
        staged = self.stage(self.bench.job(script, *arguments, **changes))
        with self.start() as process:
            self.printed, self.complained = process.communicate(timeout=60)
        result = staged.report.result()
        assert result is not None, self.complained
        return staged.outcome(result, self.bench.watcher, {})


@pytest.fixture
def elsewhere(tmp_path: Path, azurite: Azurite) -> Elsewhere:
    return Elsewhere(tmp_path, azurite)


COPY = """
import os, sys
source, target, folder = sys.argv[1:]
text = open(os.path.join(source, "a.txt")).read()
open(target, "w").write(text.upper())
os.makedirs("outputs", exist_ok=True)
open("outputs/kept.txt", "w").write("kept")
open(os.path.join(folder, "deep.txt"), "w").write("b")
from mlsteps.run import Run
run = Run.get_context()
run.log("rows", 3)
open("model", "w").write("m")
run.upload_file("outputs/model.txt", "model")
print("sig" in str(os.environ), os.environ["OF_THE_IMAGE"])
"""


def copy(there: Elsewhere, source: JobInput) -> JobOutcome:
    return there.run(
        COPY,
        "$in_source",
        "$out_target",
        "$out_folder",
        inputs=(source,),
        outputs=(
            there.writes("target", "made/target.txt"),
            there.writes("folder", "made/folder", create_directory=True),
        ),
    )


def test_a_job_reads_and_writes_by_signatures_and_its_outputs_are_published(elsewhere: Elsewhere) -> None:
    elsewhere.store.write("data/a.txt", b"abc")
    outcome = copy(elsewhere, elsewhere.reads("source", "data"))
    assert outcome.error is None, (outcome.error, elsewhere.complained)
    assert elsewhere.store.read("made/target.txt") == b"ABC"
    assert elsewhere.store.read("made/folder/deep.txt") == b"b"
    assert {name: m.number_of_files for name, m in outcome.manifests.items()} == {"target": 1, "folder": 1}
    # The digest came along, so that nobody has to read the blob to know it.
    found = elsewhere.store.stat("made/target.txt")
    assert found is not None and found.content == digest_bytes(b"ABC")
    assert [event["value"] for event in outcome.events if event["event"] == "metric"] == [3]
    kept = elsewhere.bench.kept
    assert (kept["files/outputs/kept.txt"], kept["files/outputs/model.txt"]) == (b"kept", b"m")
    assert kept["stdout.log"] == b"False 1\n"
    assert elsewhere.printed == b"False 1\n"


def test_what_lies_in_a_folder_here_is_taken_along_and_brought_back(elsewhere: Elsewhere) -> None:
    bench = elsewhere.bench
    bench.put("data/a.txt", "abc")
    outcome = elsewhere.run(
        "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1] + '/a.txt').read() * 2)",
        "$in_source",
        "$out_target",
        inputs=(bench.reads("source", "data"),),
        outputs=(bench.writes("target", "made/x"),),
    )
    assert outcome.error is None
    assert bench.store.read("made/x") == b"abcabc"
    assert any("pass through this worker" in line for _, line in bench.lines)


def test_a_shared_folder_is_used_in_place(elsewhere: Elsewhere, tmp_path: Path) -> None:
    bench = elsewhere.bench
    bench.put("data/a.txt", "abc")
    (tmp_path / "claim").symlink_to(tmp_path / "worker" / "store")
    elsewhere.folders.append(SharedFolder(tmp_path / "worker" / "store", str(tmp_path / "claim")))
    outcome = elsewhere.run(
        "import sys; print(sys.argv[1:]); open(sys.argv[2], 'w').write(open(sys.argv[1] + '/a.txt').read())",
        "$in_source",
        "$out_target",
        inputs=(bench.reads("source", "data"),),
        outputs=(bench.writes("target", "made/x"),),
    )
    assert outcome.error is None
    assert str(tmp_path / "claim" / "made" / "x") in elsewhere.printed.decode()
    assert bench.store.read("made/x") == b"abc"
    assert outcome.manifests["target"].files[0].digest == digest_bytes(b"abc")
    assert not any("pass through" in line for _, line in bench.lines)


def test_a_download_can_be_written_to_and_a_mount_cannot(elsewhere: Elsewhere) -> None:
    elsewhere.store.write("data/a.txt", b"abc")
    outcome = elsewhere.run(
        "import os, sys\nfor path in sys.argv[1:]: print(os.stat(path).st_mode & 0o222 != 0)",
        "$in_one",
        "$in_other",
        inputs=(elsewhere.reads("one", "data/a.txt"), elsewhere.reads("other", "data/a.txt", "download")),
    )
    assert (outcome.error, elsewhere.printed) == (None, b"False\nTrue\n")


def test_the_launchers_address_opens_this_jobs_area_only(elsewhere: Elsewhere, azurite: Azurite) -> None:
    elsewhere.store.write("data/a.txt", b"abc")
    staged = elsewhere.stage(elsewhere.bench.job("", inputs=(elsewhere.reads("source", "data"),)))
    query = elsewhere.variables["MLSTEPS_JOB"].partition("?")[2]
    mine = ContainerClient.from_container_url(f"{staged.area.store.url('')}?{query}")
    assert mine.download_blob("job").readall()
    for refused in (
        lambda: list(mine.list_blob_names()),
        lambda: mine.delete_blob("job"),
        lambda: (
            ContainerClient.from_container_url(f"{elsewhere.store.url('')}?{query}")
            .download_blob("data/a.txt")
            .readall()
        ),
    ):
        with pytest.raises(HttpResponseError):
            refused()
    assert query not in repr(staged.__dict__) and query not in str(elsewhere.bench.lines)
    staged.area.delete()
    with pytest.raises(HttpResponseError):
        mine.download_blob("job").readall()


FORGE = """
import json, os, sys
secret, planted = sys.argv[1:]
from mlsteps.run import Run
run = Run.get_context()
run.log("x", 1)
run_directory = os.environ["MLSTEPS_RUN_DIRECTORY"]
def upload(name, path):
    with open(os.path.join(run_directory, "journal.jsonl"), "a") as journal:
        journal.write(json.dumps({"event": "upload", "target": "self", "name": name, "path": path}) + "\\n")
open(os.path.join(run_directory, "uploads", "mine"), "w").write("mine")
upload("stolen-by-path.txt", "../" * 20 + secret)
upload("stolen-by-absolute-path.txt", secret)
upload(planted, "uploads/mine")
upload("../" * 20 + planted, "uploads/mine")
upload("a\\0b", "uploads/mine")
upload("good.txt", "uploads/mine")
upload("good.txt/below-a-file", "uploads/mine")
"""


def test_a_report_cannot_make_the_worker_read_or_write_what_is_not_the_jobs(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("of the worker")
    planted = tmp_path / "planted.txt"
    bench = elsewhere.bench
    staged = elsewhere.stage(bench.job(FORGE, str(tmp_path / "secret.txt"), str(planted)))
    with elsewhere.start() as process:
        process.communicate(timeout=60)
    # Whoever came by the job's signature can write blobs of any name.
    signature = elsewhere.variables["MLSTEPS_JOB"].partition("?")[2]
    names = ["report/" + "../" * 20 + str(planted)[1:], "report/files/../../../planted.txt"]
    names += [
        "report/run/../../planted.txt",
        "report/files/good.txt/../below",
        "report/stdout.log/below-a-file",
    ]
    for name in names:
        assert put_named(staged.area.store, name, b"x", signature) == 201
    result = staged.report.result()
    assert result is not None
    outcome = staged.outcome(result, bench.watcher, {})
    assert outcome.error is None
    assert not list(tmp_path.rglob("planted.txt")) and not list(tmp_path.rglob("below*"))
    assert "of the worker" not in str(bench.kept)
    assert bench.kept["files/good.txt"] == b"mine"
    told = [line for stream, line in bench.lines if "is not kept: it is no file of the run" in line]
    assert len(told) == 6 + len(names), told
    assert len(outcome.events) == 8  # they are the script's words, and kept as such


def test_a_failed_job_publishes_nothing_and_keeps_its_logs(elsewhere: Elsewhere) -> None:
    outcome = elsewhere.run(
        "import sys; open(sys.argv[1], 'w').write('x'); print('bad', file=sys.stderr); sys.exit(3)",
        "$out_target",
        outputs=(elsewhere.writes("target", "made/x"),),
    )
    assert (outcome.exit_code, outcome.error) == (3, "The script ended with exit code 3.")
    assert outcome.stderr_tail == ("bad",) and elsewhere.bench.kept["stderr.log"] == b"bad\n"
    assert elsewhere.store.stat("made/x") is None


def test_a_file_that_may_not_be_replaced_is_not(elsewhere: Elsewhere) -> None:
    elsewhere.store.write("made/x", b"old")
    with pytest.raises(UserErrorException, match="'target'.*exists already"):
        elsewhere.run(
            "import os; print(1); os.mkdir('o'); open('o/x', 'w').write('new')",
            outputs=(elsewhere.writes("target", "made", collect_from="o", replace=False),),
        )
    assert elsewhere.store.read("made/x") == b"old"
    assert "stdout.log" in elsewhere.bench.kept


def test_an_input_that_is_not_there_is_named(elsewhere: Elsewhere) -> None:
    elsewhere.store.write("other", b"")
    with pytest.raises(DataNotFoundException, match=r"Input 'source': nothing is at http://.*/none"):
        elsewhere.stage(elsewhere.bench.job("", inputs=(elsewhere.reads("source", "none"),)))


def test_what_the_script_logs_is_told_on_the_way_and_a_stop_is_a_result(elsewhere: Elsewhere) -> None:
    staged = elsewhere.stage(
        elsewhere.bench.job(
            "from mlsteps.run import Run; import time\nRun.get_context().log('x', 1)\ntime.sleep(60)"
        )
    )
    watcher, events = elsewhere.bench.watcher, elsewhere.bench.events
    with elsewhere.start() as process:
        wait_for(lambda: staged.report.tell_events(watcher) or events)
        staged.report.tell_events(watcher)
        assert [event["name"] for event in events] == ["x"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    result = staged.report.result()
    assert result is not None and result.stopped == "terminated"
    outcome = staged.outcome(result, watcher, {})
    assert outcome.error is not None and "stopped" in outcome.error and len(outcome.events) == 1


def test_a_launcher_that_cannot_be_fetched_is_told_without_its_signature(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = elsewhere.stage(elsewhere.bench.job(""))
    staged.area.delete()
    command = staged.command(sys.executable)
    command[4] = command[4].replace("PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)", "PAUSES = (0.1,)")
    done = subprocess.run(command, env=elsewhere.variables, capture_output=True, timeout=30)
    assert done.returncode == 1
    assert b"the launcher cannot be fetched from http://" in done.stderr and b"sig" not in done.stderr


def test_areas_are_found_again_by_the_jobs_id(elsewhere: Elsewhere) -> None:
    area = StagingArea.of_job(elsewhere.store, "dag.run.task.1")
    assert (area.make(), StagingArea.of_job(elsewhere.store, "dag.run.task.1").make()) == (True, False)
    area.store.write("x", b"1")
    area.sweep()
    assert area.store.read("x") == b"1"
    area.delete()
    area.delete()


def test_where_there_can_be_no_area_it_is_said_what_is_needed(tmp_path: Path, azurite: Azurite) -> None:
    with pytest.raises(ComputeTargetException, match="'k8s'.*Azure Blob datastore"):
        home_among([None, FolderStore(tmp_path)], "k8s")
    store = blob_store(azurite)
    assert home_among([FolderStore(tmp_path), store], "k8s") is store
    assert isinstance(store, AzureBlobStore)


def test_a_result_of_a_job_that_never_was_is_none(elsewhere: Elsewhere) -> None:
    staged = elsewhere.stage(elsewhere.bench.job(""))
    assert staged.report.result() is None and staged.report.printed("stdout") == []
    outcome = staged.outcome(JobResult(error="The pod is gone."), elsewhere.bench.watcher, {"image": "i"})
    assert (outcome.error, outcome.environment) == ("The pod is gone.", {"image": "i"})
