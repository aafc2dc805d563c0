"""LocalCompute on jobs of its own, without Airflow: where files stand, what comes back, what stays."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import Bench
from mlsteps.compute import (
    ComputeTarget,
    JobWatcher,
    LocalCompute,
    create_compute_target,
)
from mlsteps.compute.local_process import LauncherProcess
from mlsteps.exceptions import ComputeTargetException, UserErrorException
from mlsteps.launcher.package import build_launcher_zip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


SHOW = "import sys; print(*sys.argv[1:], sep='\\n')"


def test_inputs_stand_where_their_mode_says(bench: Bench) -> None:
    for path in ("data/a.txt", "data/sub/b.txt", "one.csv"):
        bench.put(path, path)
    script = """
import os, sys
mounted, copied, file, copied_file, placed = sys.argv[1:]
assert os.environ["IN_copied"] == copied
for folder in (mounted, copied, placed):
    assert sorted(os.listdir(folder)) == ["a.txt", "sub"], folder
assert open(copied + "/sub/b.txt").read() == "data/sub/b.txt"
assert os.path.basename(file) == os.path.basename(copied_file) == "one.csv"
assert open(copied_file).read() == "one.csv"
assert placed == os.path.join(os.getcwd(), "here/it/is"), placed
open(copied + "/a.txt", "w").write("changed")
open(placed + "/a.txt", "w").write("changed")
"""
    names = ("mounted", "copied", "file", "copied_file", "placed")
    outcome = bench.run(
        script,
        *(f"$in_{name}" for name in names),
        inputs=(
            bench.reads("mounted", "data"),
            bench.reads("copied", "data", "download"),
            bench.reads("file", "one.csv"),
            bench.reads("copied_file", "one.csv", "download"),
            bench.reads("placed", "data", "mount", "here/it/is"),
        ),
    )
    assert outcome.error is None, outcome.stderr_tail
    assert outcome.command[2] == str(bench.root / "store" / "data")
    assert bench.store.read("data/a.txt") == b"data/a.txt"


def test_outputs_are_written_in_place_or_collected(bench: Bench) -> None:
    script = """
import os, sys
file, folder, collected = sys.argv[1:]
assert os.path.isdir(os.path.dirname(file)) and not os.path.exists(file)
assert os.path.isdir(folder)
open(file, "w").write("file")
open(folder + "/a.txt", "w").write("a")
os.makedirs(collected, exist_ok=True)
for name in ("keep.csv", "drop.tmp"): open(collected + "/" + name, "w").write(name)
"""
    outcome = bench.run(
        script,
        *("$out_file", "$out_folder", "$out_collected"),
        outputs=(
            bench.writes("file", "new/place/file"),
            bench.writes("folder", "folder", create_directory=True),
            bench.writes("collected", "collected", collect_from="results/x", patterns=("*.csv",)),
        ),
    )
    assert outcome.error is None, outcome.stderr_tail
    assert (outcome.manifests["file"].kind, outcome.manifests["folder"].kind) == ("file", "directory")
    assert bench.store.read("new/place/file") == b"file"
    assert bench.store.list_names("collected") == ["keep.csv"]
    assert outcome.manifests["collected"].number_of_files == 1


def test_collected_file_does_not_replace_another(bench: Bench) -> None:
    bench.put("there/a.txt", "old")
    script = "import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + '/a.txt', 'w').write('new')"
    output = bench.writes("out", "there", collect_from="x", replace=False)
    with pytest.raises(UserErrorException, match="exists already"):
        bench.run(script, "$out_out", outputs=(output,))
    assert bench.store.read("there/a.txt") == b"old"
    assert "stdout.log" in bench.kept, "logs are kept although publishing failed"
    assert bench.run(script, "$out_out", outputs=(replace(output, replace=True),)).error is None
    assert bench.store.read("there/a.txt") == b"new"


def test_tokens_are_replaced_once_and_the_longest_first(bench: Bench) -> None:
    bench.put("a/x", "")
    bench.put("$in_b/x", "")
    outcome = bench.run(
        SHOW,
        *("pre-$in_a/x", "$in_a_more", "$in_b", "$nothing", ""),
        inputs=(bench.reads("a", "a"), bench.reads("a_more", "$in_b"), bench.reads("b", "a")),
        variables={"SEE": "<$in_a>"},
    )
    root = bench.root / "store"
    assert outcome.command[2:] == (f"pre-{root}/a/x", f"{root}/$in_b", f"{root}/a", "$nothing", "")


def test_outcome_tells_how_the_script_ended(bench: Bench) -> None:
    outcome = bench.run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(9)")
    assert (outcome.exit_code, outcome.signal) == (9, None)
    assert outcome.error == "The script ended with exit code 9."
    assert (outcome.stdout_tail, outcome.stderr_tail) == (("out",), ("err",))
    assert {("stdout", "out"), ("stderr", "err")} <= set(bench.lines)
    killed = bench.run("import os; os.kill(os.getpid(), 9)")
    assert (killed.exit_code, killed.signal) == (None, "SIGKILL")
    assert "ended by SIGKILL" in str(killed.error)
    missing = bench.run("pass", outputs=(bench.writes("out", "out"),))
    assert missing.missing_outputs == ("out",)
    assert "'out'" in str(missing.error)
    assert missing.manifests == {}
    limited = bench.run("import time; time.sleep(60)", time_limit=0.5)
    assert "stopped at its time limit" in str(limited.error)


def test_command_that_is_not_there(bench: Bench) -> None:
    outcome = bench.run("", command=("no-such-program",))
    assert "'no-such-program' was not found" in str(outcome.error)


def test_files_and_events_are_kept_also_of_a_failed_script(bench: Bench) -> None:
    outcome = bench.run(
        "from mlsteps.run import Run\nrun = Run.get_context()\nrun.log('x', 1)\n"
        "open('outputs/a.txt', 'w').write('a')\nopen('up.txt', 'w').write('up')\n"
        "run.upload_file('deep/up.txt', 'up.txt')\nprint('said')\nraise SystemExit(1)"
    )
    assert outcome.error
    assert [event["event"] for event in outcome.events] == ["metric", "upload"]
    assert bench.kept["files/outputs/a.txt"] == b"a"
    assert bench.kept["files/deep/up.txt"] == b"up"
    assert bench.kept["stdout.log"] == b"said\n"


def test_events_are_heard_while_the_script_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlsteps.compute import local_process

    monkeypatch.setattr(local_process, "_JOURNAL_SECONDS", 0.1)
    heard: list[float] = []
    watcher = JobWatcher(lambda *_: None, lambda events: heard.append(time.monotonic()), lambda _: None)
    script = "from mlsteps.run import Run\nRun.get_context().log('x', 1)\nimport time; time.sleep(2)"
    LocalCompute().run(bench.job(script), watcher)
    assert heard and time.monotonic() - heard[0] > 1


def test_nothing_stays_behind(bench: Bench) -> None:
    bench.run("open('left.txt', 'w')")
    bench.run("raise SystemExit(1)")
    assert list((bench.root / "scratch").iterdir()) == []
    (bench.root / "other").mkdir()
    LocalCompute(scratch=str(bench.root / "other")).run(bench.job(""), bench.watcher)
    assert list((bench.root / "other").iterdir()) == []


@pytest.mark.parametrize("when", ["before", "while"])
def test_stop_ends_the_job(bench: Bench, when: str) -> None:
    def stop_when(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        bench.watcher.stop()

    if when == "before":
        bench.watcher.stop()
    else:
        threading.Thread(target=stop_when, args=(lambda: ("stdout", "up") in bench.lines,)).start()
    started = time.monotonic()
    outcome = bench.run("import time; print('up', flush=True); time.sleep(60)")
    assert time.monotonic() - started < 15
    assert outcome.error == "The script was stopped because its task was."
    assert bench.watcher.stopped


def test_listener_that_breaks_ends_the_script(bench: Bench) -> None:
    def broken(stream: str, line: str) -> None:
        raise RuntimeError("the log is full")

    watcher = JobWatcher(broken, lambda _: None, lambda _: None)
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="the log is full"):
        LocalCompute().run(bench.job(script), watcher)
    assert time.monotonic() - started < 15


def test_launcher_that_breaks_is_an_error_of_the_compute_target(bench: Bench) -> None:
    launcher = build_launcher_zip(bench.root / "environments")
    job = bench.root / "job.json"
    job.write_text("{}")
    with pytest.raises(ComputeTargetException, match="left no result"):
        LauncherProcess(launcher, job, bench.root / "result.json").run(bench.watcher, bench.root / "journal")
    assert any("mlsteps: " in line for _, line in bench.lines)


def test_variables_of_airflow_are_refused(bench: Bench) -> None:
    with pytest.raises(UserErrorException, match="'AIRFLOW__CORE__FERNET_KEY' is Airflow's own"):
        bench.run("", variables={"AIRFLOW__CORE__FERNET_KEY": "x"})


def test_many_lines_arrive_in_order_and_whole(bench: Bench) -> None:
    outcome = bench.run("for n in range(20000): print(n, 'x' * 50)")
    assert outcome.error is None
    assert [line for stream, line in bench.lines if stream == "stdout"] == [
        f"{n} " + "x" * 50 for n in range(20000)
    ]
    assert bench.kept["stdout.log"].count(b"\n") == 20000


def test_output_that_is_no_text_does_not_break_anything(bench: Bench) -> None:
    outcome = bench.run(
        "import sys; sys.stdout.buffer.write(bytes(range(256)) * 400); sys.stdout.buffer.write(b'end')"
    )
    assert outcome.error is None
    assert bench.lines[-1][1].endswith("end")


def test_phases_are_measured(bench: Bench) -> None:
    bench.run("import time; time.sleep(0.2)")
    assert set(bench.watcher.phases) == {"environment", "stage", "script", "publish"}
    assert bench.watcher.phases["script"] >= 0.2


# Compute targets by name


def test_compute_target_from_settings() -> None:
    target = create_compute_target("mine", {"type": "local", "pass_environment": ["A"], "scratch": "/x"})
    assert isinstance(target, LocalCompute)
    assert (target.name, target.pass_environment, target.scratch) == ("mine", ("A",), "/x")
    assert (
        target.serialize()
        == repr(target)
        == "LocalCompute(name='mine', pass_environment=['A'], scratch='/x', type='local')"
    )


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"type": "magic"}, "'mine' has the unknown type 'magic'; known: .*local"),
        ({}, "'mine' has the unknown type None"),
        ({"type": "local", "cpus": 3}, "'mine': .*'cpus'"),
        ({"type": "local", "name": "other"}, "'mine': .*name"),
        (
            {"type": "local", "pass_environment": "PATH"},
            "'mine': pass_environment is a list of names, got 'PATH'",
        ),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ComputeTargetException, match=error):
        create_compute_target("mine", settings)


def test_compute_target_is_an_interface() -> None:
    with pytest.raises(TypeError):
        ComputeTarget("x")  # type: ignore[abstract]


def test_relative_python_path_of_the_worker_still_means_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.root / "library").mkdir()
    (bench.root / "library" / "found_by_path.py").touch()
    monkeypatch.chdir(bench.root)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["library", "", os.environ.get("PYTHONPATH", "")]))
    assert bench.run("import found_by_path").error is None


def test_worker_itself_sees_no_change(bench: Bench) -> None:
    before = (dict(os.environ), os.getcwd())
    bench.run("import os; os.environ['X'] = 'x'")
    assert (dict(os.environ), os.getcwd()) == before


def test_what_goes_wrong_while_files_are_kept_does_not_hide_the_first_error(bench: Bench) -> None:
    def keep(folder: Path) -> None:
        raise OSError("no space left")

    bench.put("made/target.txt", "there before")
    output = bench.writes("target", "made/target.txt", collect_from="target.txt", replace=False)
    write, job = "open('target.txt', 'w').write('x')", {"outputs": (output,)}
    watcher = JobWatcher(lambda *_: None, lambda _: None, keep)
    with pytest.raises(UserErrorException, match="exists already"):
        LocalCompute().run(bench.job(write, **job), watcher)
    with pytest.raises(OSError, match="no space left"):
        LocalCompute().run(bench.job("pass"), watcher)
