"""A running script is seen, limited and never waited for longer than it takes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from .conftest import DEADLINE, Launcher, eventually


def test_output_is_visible_before_the_script_ends(launcher: Launcher) -> None:
    process = launcher.shell("echo first; while [ ! -e go ]; do sleep .02; done; echo last").start()
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    assert (launcher.folder / "logs" / "stdout.log").read_text() == "first\n"
    (Path(launcher.job.working_directory) / "go").touch()
    assert process.stdout.read() == b"last\n"
    assert process.wait(DEADLINE) == 0


def test_a_script_over_its_time_is_stopped(launcher: Launcher) -> None:
    launcher.job = replace(launcher.job, time_limit_seconds=0.3)
    assert launcher.shell("echo o >outputs/o; sleep 60").run().returncode == 124
    result = launcher.result
    assert (result.timed_out, result.stopped, result.signal) == (True, None, "SIGTERM")
    assert 0.3 <= result.duration_seconds < DEADLINE
    assert (launcher.folder / "kept" / "outputs" / "o").exists()
    assert launcher.alive() == []


def test_the_last_lines_are_in_the_result(launcher: Launcher) -> None:
    launcher.python(
        "import sys; [print(i, file=sys.stderr) for i in range(100)]; sys.exit('the reason')"
    ).run()
    assert launcher.result.stderr_tail.splitlines()[-2:] == ["99", "the reason"]
    assert launcher.result.stderr_tail.splitlines()[0] == "61"


def test_a_huge_line_passes_in_bounded_memory(launcher: Launcher) -> None:
    launcher.python(
        "import sys, pathlib\n"
        "for _ in range(50): sys.stdout.write('x' * 1_000_000)\n"
        "sys.stdout.flush(); pathlib.Path('written').touch(); sys.stdin.read()\n"
        "while not pathlib.Path('go').exists(): pass"
    )
    process = launcher.start()
    assert process.stdout is not None
    passed = 0
    while passed < 50_000_000:
        passed += len(process.stdout.read1(1 << 20))  # type: ignore[attr-defined]
    status = Path(f"/proc/{launcher.launcher_proper()}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 60_000, peak
    Path(launcher.job.working_directory, "go").touch()
    assert process.wait(DEADLINE) == 0
    assert len(launcher.result.stdout_tail) < 2100


def test_a_reader_that_went_away_does_not_disturb_the_script(launcher: Launcher) -> None:
    process = launcher.shell("while [ ! -e go ]; do sleep .02; done; seq 100000").start()
    assert process.stdout is not None
    process.stdout.close()
    eventually(Path(launcher.job.working_directory).exists, "the launcher starts")
    Path(launcher.job.working_directory, "go").touch()
    assert process.wait(DEADLINE) == 0
    assert (launcher.folder / "logs" / "stdout.log").read_text().endswith("\n100000\n")


def test_a_stalled_reader_does_not_keep_the_launcher_alive(launcher: Launcher) -> None:
    launcher.job = replace(launcher.job, time_limit_seconds=0.5)
    process = launcher.shell("yes").start()  # nobody reads: the pipe fills up
    begin = time.monotonic()
    assert process.wait(DEADLINE) == 124
    assert time.monotonic() - begin < 10
    assert launcher.result.warnings
