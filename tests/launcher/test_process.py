"""Nothing that a job started is left running, however the job or its launcher ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .conftest import DEADLINE, Launcher, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans cannot be found")

FAMILY = "sleep 60 & (sleep 61 &) ; setsid sleep 62 & "
"""A child, an orphan, and a child in a session of its own."""

DAEMON = """
import os, sys, time, pathlib
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path('daemon').touch()
        time.sleep(60)
    os._exit(0)
os.wait()
while not pathlib.Path('daemon').exists(): time.sleep(.01)
pathlib.Path('ready').touch()
"""


def assert_nothing_lives(launcher: Launcher) -> None:
    eventually(lambda: launcher.alive() == [], "all processes of the job end", 6)


def test_background_processes_end_with_the_script(launcher: Launcher) -> None:
    assert launcher.shell(FAMILY + "exit 0").run().returncode == 0
    assert launcher.alive() == []


def test_a_daemon_that_ignores_signals_ends_with_the_script(launcher: Launcher) -> None:
    assert launcher.python(DAEMON).run().returncode == 0
    assert launcher.alive() == []


def test_a_grandchild_that_holds_the_output_does_not_hang_the_launcher(launcher: Launcher) -> None:
    begin = time.monotonic()
    done = launcher.shell("echo said; trap '' TERM; sleep 60 & exit 5").run()
    assert (done.returncode, done.stdout) == (5, b"said\n")
    assert time.monotonic() - begin < 10
    assert launcher.alive() == []


def test_a_helper_may_clean_up_after_the_script(launcher: Launcher) -> None:
    """As multiprocessing's resource tracker does, which ignores SIGTERM and waits for its pipe to end."""
    helper = "trap '' TERM; touch ready; read x; echo cleaned >outputs/cleaned"
    waiting = "while [ ! -e ready ]; do sleep .01; done"
    launcher.shell(f'mkfifo f; sh -c "{helper}" <f & exec 3>f; {waiting}; exit 0').run()
    assert (launcher.folder / "kept" / "outputs" / "cleaned").exists()


@pytest.fixture
def signals_count() -> Iterator[None]:
    """Tests that are run in the background ignore some signals, and so would what they start."""
    ignored = [n for n in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.usefixtures("signals_count")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything(launcher: Launcher, number: signal.Signals) -> None:
    launcher.shell("echo o >outputs/o; " + FAMILY + "touch ready; wait")
    process = launcher.start_and_await("ready")
    process.send_signal(number)
    assert process.wait(DEADLINE) == 143
    assert launcher.alive() == []
    assert (launcher.result.stopped, launcher.result.signal) == ("terminated", "SIGTERM")
    assert (launcher.folder / "kept" / "outputs" / "o").exists()


def test_a_script_may_end_in_its_own_way_when_stopped(launcher: Launcher) -> None:
    launcher.shell("trap 'echo bye; exit 9' TERM; touch ready; while :; do sleep .05; done")
    process = launcher.start_and_await("ready")
    process.terminate()
    out, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (9, b"bye\n")
    assert (launcher.result.exit_code, launcher.result.stopped) == (9, "terminated")


def test_a_script_that_was_stopped_has_not_succeeded(launcher: Launcher) -> None:
    launcher.shell("trap 'exit 0' TERM; touch ready; while :; do sleep .05; done")
    process = launcher.start_and_await("ready")
    process.terminate()
    assert process.wait(DEADLINE) == 143
    assert not launcher.result.succeeded


def test_a_stubborn_family_is_gone_in_less_than_five_seconds(launcher: Launcher) -> None:
    launcher.python(
        DAEMON + "import signal; signal.signal(15, signal.SIG_IGN); os.fork()\n"
        "pathlib.Path('stubborn').touch(); time.sleep(60)"
    )
    process = launcher.start_and_await("ready", "stubborn")
    begin = time.monotonic()
    process.terminate()
    process.terminate()
    assert process.wait(DEADLINE) == 128 + signal.SIGKILL
    assert 3.0 <= time.monotonic() - begin < 5.0
    assert launcher.alive() == []
    assert (launcher.result.stopped, launcher.result.signal) == ("terminated", "SIGKILL")


def test_the_end_of_the_worker_stops_everything(launcher: Launcher) -> None:
    launcher.job = replace(launcher.job, lifeline=True)
    launcher.shell(FAMILY + "touch ready; wait")
    # The worker is a process that holds the lifeline and is then killed without a chance to say anything.
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, *launcher.command()])
    eventually((Path(launcher.job.working_directory) / "ready").exists, "the script starts")
    assert launcher.alive()
    worker.kill()
    worker.wait()
    assert_nothing_lives(launcher)
    eventually(Path(launcher.job.result_path).exists, "the result is written")
    assert launcher.result.stopped == "worker-gone"


def test_a_lifeline_that_is_cut_already_lets_nothing_start(launcher: Launcher) -> None:
    launcher.job = replace(launcher.job, lifeline=True)
    done = subprocess.run(launcher.shell("touch ran").command(), stdin=subprocess.DEVNULL, timeout=DEADLINE)
    assert done.returncode == 143
    assert launcher.result.stopped == "worker-gone"
    assert not (Path(launcher.job.working_directory) / "ran").exists()


def test_without_a_lifeline_the_end_of_stdin_means_nothing(launcher: Launcher) -> None:
    assert subprocess.run(launcher.command(), stdin=subprocess.DEVNULL, timeout=DEADLINE).returncode == 0


def test_a_kill_of_the_guard_stops_everything(launcher: Launcher) -> None:
    process = launcher.shell(FAMILY + "touch ready; wait").start_and_await("ready")
    process.kill()
    assert_nothing_lives(launcher)
    eventually(Path(launcher.job.result_path).exists, "the result is written")
    assert launcher.result.stopped == "terminated"


def test_a_kill_of_the_launcher_proper_stops_everything(launcher: Launcher) -> None:
    process = launcher.shell(FAMILY + "touch ready; wait").start_and_await("ready")
    os.kill(launcher.launcher_proper(), signal.SIGKILL)
    assert process.wait(DEADLINE) == 70
    assert launcher.alive() == []
    assert "SIGKILL" in str(launcher.result.error)


def test_a_kill_of_the_launchers_process_group_stops_everything(launcher: Launcher) -> None:
    launcher.shell(FAMILY + "touch ready; wait")
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        launcher.command(), start_new_session=True, stdin=pipe, stdout=pipe, stderr=pipe
    )
    launcher.started.append(process)
    eventually((Path(launcher.job.working_directory) / "ready").exists, "the script starts")
    os.killpg(process.pid, signal.SIGKILL)
    assert_nothing_lives(launcher)


def test_a_stop_while_outputs_are_hashed_publishes_nothing(launcher: Launcher) -> None:
    from mlsteps.launcher.job import OutputSpec

    spec = OutputSpec("big", "big", False, str(launcher.folder / "m.json"))
    launcher.job = replace(launcher.job, outputs=(spec,))
    # A sparse file takes no space on disk, but long to hash.
    process = launcher.shell("truncate -s 200G big").start()
    eventually((launcher.folder / "kept" / "logs").exists, "the script ends")
    process.terminate()
    assert process.wait(DEADLINE) == 143
    assert (launcher.result.exit_code, launcher.result.stopped) == (0, "terminated")
    assert not Path(spec.manifest_path).exists()


def test_many_orphans_are_reaped_while_the_script_runs(launcher: Launcher) -> None:
    process = launcher.shell(
        "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0 &); done; touch ready; while [ ! -e go ]; do sleep .02; done"
    ).start_and_await("ready")
    pid = launcher.launcher_proper()
    children = Path(f"/proc/{pid}/task/{pid}/children")
    eventually(lambda: len(children.read_text().split()) == 1, "only the script is left")
    (Path(launcher.job.working_directory) / "go").touch()
    assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize("milliseconds", range(0, 100, 9))
def test_a_signal_at_any_moment_ends_the_launcher(launcher: Launcher, milliseconds: int) -> None:
    process = launcher.shell("sleep 60").start()
    time.sleep(milliseconds / 1000)
    process.terminate()
    _, err = process.communicate(timeout=DEADLINE)
    # Before Python has set up anything, the signal simply ends the process.
    assert process.returncode in (143, -signal.SIGTERM)
    assert b"Traceback" not in err
    assert_nothing_lives(launcher)
