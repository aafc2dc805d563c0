"""What a job finds, what it leaves behind, and how its end is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mlsteps.launcher.job import OutputSpec
from mlsteps.launcher.job_source import for_environment
from mlsteps.launcher.manifest import read_manifest
from mlsteps.launcher.snapshot_archive import write_archive

from .conftest import DEADLINE, Launcher

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def output(launcher: Launcher, path: str = "data/out", create: bool = False, name: str = "out") -> OutputSpec:
    """Declare one more output of the job."""
    spec = OutputSpec(name, path, create, str(launcher.folder / "manifests" / f"{name}.json"))
    launcher.job = replace(launcher.job, outputs=(*launcher.job.outputs, spec))
    return spec


def test_a_good_script_has_a_good_result(launcher: Launcher) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    done = launcher.python(
        "import sys, time; print('out'); print('err', file=sys.stderr); time.sleep(.1)"
    ).run()
    result = launcher.result
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert (result.exit_code, result.signal, result.error, result.stopped, result.timed_out) == (
        0,
        None,
        None,
        None,
        False,
    )
    assert (result.stdout_tail, result.stderr_tail, result.warnings) == ("out", "err", ())
    assert (launcher.folder / "logs" / "stdout.log").read_text() == "out\n"
    assert (launcher.folder / "logs" / "stderr.log").read_text() == "err\n"
    assert result.started_at is not None and result.ended_at is not None
    started, ended = datetime.fromisoformat(result.started_at), datetime.fromisoformat(result.ended_at)
    assert before <= started <= ended <= datetime.now(timezone.utc)
    assert 0.1 <= result.duration_seconds < DEADLINE
    assert result.succeeded


@pytest.mark.parametrize("code", [1, 3, 70, 255])
def test_the_exit_code_of_the_script_is_passed_on(launcher: Launcher, code: int) -> None:
    assert launcher.shell(f"exit {code}").run().returncode == code
    assert launcher.result.exit_code == code


@pytest.mark.parametrize(("name", "number"), [("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)])
def test_the_signal_that_ended_the_script_is_named(launcher: Launcher, name: str, number: int) -> None:
    assert launcher.shell(f"kill -{number} $$").run().returncode == 128 + number
    result = launcher.result
    assert (result.exit_code, result.signal, result.stopped) == (None, name, None)


def test_the_script_sees_its_own_environment_only(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_WORKER", "1")
    launcher.python(
        "import os, json; print(json.dumps([dict(os.environ), os.getcwd(), os.read(0, 9).decode()]))"
    )
    launcher.job = replace(launcher.job, environment={"PATH": os.environ["PATH"], "UMLAUT": "ä"})
    environment, folder, stdin = json.loads(launcher.run().stdout)
    assert set(environment) - {"LC_CTYPE"} == {"PATH", "UMLAUT", "MARK"}
    assert environment["UMLAUT"] == "ä"
    assert (folder, stdin) == (launcher.job.working_directory, "")


def test_a_script_may_inherit_what_the_launcher_has(launcher: Launcher) -> None:
    launcher.python("import os; print(os.environ['PATH'], os.environ['MINE'], 'MLSTEPS_JOB' in os.environ)")
    launcher.job = replace(launcher.job, environment={"MINE": "1"}, inherit=True)
    command = [arg for arg in launcher.command() if not arg.endswith("job.json")]
    environment = {
        "PATH": "/image/bin:/usr/bin:/bin",
        "MINE": "0",
        "MLSTEPS_JOB": for_environment(launcher.job),
    }
    done = subprocess.run(command, env=environment, capture_output=True, timeout=DEADLINE)
    assert done.stdout == b"/image/bin:/usr/bin:/bin 1 False\n", done.stderr


def test_the_snapshot_is_where_the_script_runs(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "main.sh").write_text("#!/bin/sh\necho ran; ls -d outputs logs\n")
    (tmp_path / "main.sh").chmod(0o755)
    write_archive([("src/main.sh", tmp_path / "main.sh")], tmp_path / "s.zip")
    launcher.job = replace(launcher.job, snapshot=str(tmp_path / "s.zip"), command=("src/main.sh",))
    assert launcher.run().stdout == b"ran\nlogs\noutputs\n"


def test_outputs_are_laid_out_as_declared_and_listed(launcher: Launcher) -> None:
    made = output(launcher, "a/b/made", create=True, name="made")
    own = output(launcher, str(launcher.folder / "c" / "own"), name="own")
    single = output(launcher, "outputs/m.bin", name="single")
    script = 'test -d a/b/made && test ! -e "$0" && mkdir "$0" && echo 1 >"$0/f" && printf 22 >outputs/m.bin'
    launcher.job = replace(launcher.job, command=("sh", "-c", script, own.path))
    done = launcher.run()
    assert done.returncode == 0, done.stderr
    assert read_manifest(made.manifest_path).number_of_files == 0
    assert [entry.path for entry in read_manifest(own.manifest_path).files] == ["f"]
    assert (read_manifest(single.manifest_path).kind, read_manifest(single.manifest_path).bytes) == (
        "file",
        2,
    )
    assert (launcher.folder / "kept" / "outputs" / "m.bin").read_text() == "22"
    assert (
        Path(launcher.job.working_directory) / "outputs" / "m.bin"
    ).exists()  # where the output was declared


def test_a_missing_output_is_an_error_and_no_manifest_is_written(launcher: Launcher) -> None:
    good, bad = output(launcher, "good", name="good"), output(launcher, "bad", name="bad")
    done = launcher.shell("echo >good").run()
    assert done.returncode == 70
    result = launcher.result
    assert (result.exit_code, result.missing_outputs, result.succeeded) == (0, ("bad",), False)
    assert result.error is not None and "'bad'" in result.error and "'good'" not in result.error
    assert b"mlsteps: " in done.stderr and b"'bad'" in done.stderr
    assert not Path(good.manifest_path).exists() and not Path(bad.manifest_path).exists()


def test_an_unfit_output_is_an_error_and_no_manifest_is_written(launcher: Launcher) -> None:
    good, _ = output(launcher, "good", name="good"), output(launcher, "bad", create=True, name="bad")
    assert launcher.shell("echo >good; mkfifo bad/pipe").run().returncode == 70
    assert "'bad'" in str(launcher.result.error) and "a named pipe" in str(launcher.result.error)
    assert not Path(good.manifest_path).exists()


def test_a_failed_script_publishes_nothing(launcher: Launcher) -> None:
    spec = output(launcher, "good")
    Path(spec.manifest_path).parent.mkdir()
    Path(spec.manifest_path).write_text("of an earlier try")
    assert launcher.shell("echo >good; exit 1").run().returncode == 1
    assert not Path(spec.manifest_path).exists()
    assert (launcher.result.missing_outputs, launcher.result.error) == ((), None)


def test_an_unwritable_manifest_takes_the_others_back(launcher: Launcher) -> None:
    first = output(launcher, "first", name="first")
    second = output(launcher, "second", name="second")
    launcher.shell(f"echo >first; echo >second; mkdir -p '{second.manifest_path}'")
    assert launcher.run().returncode == 70
    assert "second.json" in str(launcher.result.error)
    assert not Path(first.manifest_path).exists()


def test_an_output_that_is_there_already_is_refused(launcher: Launcher) -> None:
    output(launcher, "out")
    Path(launcher.job.working_directory, "out").mkdir(parents=True)
    assert launcher.shell("touch ran").run().returncode == 70
    assert "already" in str(launcher.result.error)
    assert not Path(launcher.job.working_directory, "ran").exists()


@pytest.mark.parametrize("ending", ["exit 0", "exit 4", "kill -9 $$"])
def test_folders_are_kept_whatever_happens(launcher: Launcher, ending: str) -> None:
    launcher.shell(f"echo o >outputs/o; mkdir logs/sub; echo l >logs/sub/l; echo x >x; {ending}").run()
    kept = launcher.folder / "kept"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
        "logs/sub/l",
        "outputs/o",
    ]


def test_folders_that_cannot_be_kept_are_a_warning(launcher: Launcher) -> None:
    (launcher.folder / "kept").write_text("in the way")
    assert launcher.shell("echo o >outputs/o").run().returncode == 0
    assert [text for text in launcher.result.warnings if "'outputs'" in text]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("no-such-program",), "not found in PATH"),
        (("./no-such-file",), "does not exist"),
        (("/etc/passwd",), "not executable"),
        (("/",), "not executable"),
    ],
)
def test_a_command_that_cannot_start_is_explained(
    launcher: Launcher, command: tuple[str, ...], text: str
) -> None:
    launcher.job = replace(launcher.job, command=command)
    assert launcher.run().returncode == 70
    result = launcher.result
    assert text in str(result.error) and repr(command[0]) in str(result.error)
    assert (result.exit_code, result.started_at, result.ended_at) == (None, None, None)


def test_a_missing_interpreter_is_explained(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/no/such/python\n")
    (tmp_path / "script").chmod(0o755)
    launcher.job = replace(launcher.job, command=(str(tmp_path / "script"),))
    assert launcher.run().returncode == 70
    assert "interpreter" in str(launcher.result.error)


@pytest.mark.parametrize("content", [b"not a zip", None])
def test_a_broken_snapshot_is_explained(launcher: Launcher, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "s.zip").write_bytes(content)
    launcher.job = replace(launcher.job, snapshot=str(tmp_path / "s.zip"))
    assert launcher.run().returncode == 70
    assert "s.zip" in str(launcher.result.error)


@pytest.mark.parametrize("field", ["working_directory", "log_directory", "result_path"])
def test_a_folder_that_cannot_be_made_is_explained(launcher: Launcher, field: str) -> None:
    (launcher.folder / "file").write_text("")
    launcher.job = replace(launcher.job, **{field: str(launcher.folder / "file" / "below")})
    done = launcher.run()
    assert done.returncode == 70
    assert b"file/below" in done.stderr
    if field != "result_path":
        assert "file" in str(launcher.result.error)


@NOT_ROOT
def test_an_unwritable_folder_is_explained(launcher: Launcher) -> None:
    (launcher.folder / "deep").mkdir(mode=0o555)
    assert launcher.run().returncode == 70
    assert "deep" in str(launcher.result.error)


@pytest.mark.parametrize("text", [None, "", "{}", '{"kind": "mlsteps-job", "version": 99}'])
def test_an_unreadable_job_is_explained(launcher: Launcher, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.json"
    if text is not None:
        path.write_text(text)
    command = [sys.executable, "-I", "-S", str(launcher.zip), str(path)]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE)
    assert done.returncode == 70
    assert done.stderr.startswith(b"mlsteps: ") and b"Traceback" not in done.stderr


def test_a_good_end_after_the_time_limit_is_no_success(launcher: Launcher) -> None:
    spec = output(launcher, "out")
    launcher.job = replace(launcher.job, time_limit_seconds=0.5)
    launcher.shell("echo >out; trap 'exit 0' TERM; while :; do sleep .05; done")
    assert launcher.run().returncode == 124
    assert not Path(spec.manifest_path).exists()
