"""Who cannot see a job's machine still sees how it goes: on the way its journal and logs, then everything."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from mlsteps.launcher import reporting, workplace
from mlsteps.launcher.growing import GrowingFile
from mlsteps.launcher.places import Place
from mlsteps.launcher.web import Web
from mlsteps.run import protocol
from servers.faults import Fault, FaultyProxy

from .cloud import QUICK, Cloud, with_output, with_report
from .conftest import DEADLINE, Launcher, eventually


def test_the_names_in_a_run_directory_are_those_that_scripts_use() -> None:
    assert reporting.JOURNAL == protocol.JOURNAL_FILE
    assert reporting.UPLOADS == workplace.UPLOADS == protocol.UPLOADS_FOLDER


def test_metrics_and_logs_are_there_while_the_script_runs(launcher: Launcher, cloud: Cloud) -> None:
    run = with_report(launcher, cloud)
    process = launcher.shell(
        f"echo said; echo '{{1}}' >>{run}/journal.jsonl; while [ ! -e go ]; do sleep .02; done; "
        f"echo '{{2}}' >>{run}/journal.jsonl; echo more"
    ).start()
    eventually(lambda: cloud.has("run/stdout.log") and cloud.has("run/run/journal.jsonl"), "a report comes")
    assert (cloud.read("run/stdout.log"), cloud.read("run/run/journal.jsonl")) == (b"said\n", b"{1}\n")
    assert not cloud.has("run/result.json")
    (Path(launcher.job.working_directory) / "go").touch()
    assert process.wait(DEADLINE) == 0
    assert cloud.read("run/stdout.log") == b"said\nmore\n"
    assert cloud.read("run/run/journal.jsonl") == b"{1}\n{2}\n"
    assert cloud.result == launcher.result


def test_what_is_kept_is_sent_whatever_became_of_the_script(launcher: Launcher, cloud: Cloud) -> None:
    run = with_report(launcher, cloud)
    done = launcher.shell(
        f"mkdir outputs/a; echo 1 >outputs/a/ä; echo 2 >logs/l; echo 3 >{run}/uploads/u; "
        "ln -s nowhere outputs/dangling; echo no >&2; exit 4"
    ).run()
    assert done.returncode == 4
    blobs = cloud.blobs("run/")
    assert "run/result.json" in blobs and blobs.pop("run/result.json")
    assert blobs == {
        "run/files/outputs/a/ä": b"1\n",
        "run/files/logs/l": b"2\n",
        "run/run/uploads/u": b"3\n",
        "run/stderr.log": b"no\n",
    }
    assert cloud.result.exit_code == 4
    assert any("dangling" in warning for warning in cloud.result.warnings)


def test_the_result_is_sent_last(launcher: Launcher, cloud: Cloud) -> None:
    with FaultyProxy(cloud.url) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_report(launcher, cloud)
        assert launcher.shell("echo 1; echo 2 >outputs/a").run().returncode == 0
        assert "/run/result.json?" in proxy.requests[-1]
        assert len(proxy.requests) >= 3


def test_a_script_is_not_delayed_by_a_store_that_does_not_answer(launcher: Launcher, cloud: Cloud) -> None:
    """Until it ends: then it is tried for as long as the limits say, and told that it was in vain."""

    def fault(number: int, line: str) -> Fault | None:
        return "stall"

    with FaultyProxy(cloud.url, fault, stalls=0.4) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_report(launcher, cloud, seconds=0.05)
        launcher.job = replace(launcher.job, web=replace(QUICK, attempts=2))
        done = launcher.shell("for i in 1 2 3 4 5; do echo $i; sleep .1; done").run()
    result = launcher.result
    assert (done.returncode, result.exit_code) == (70, 0)  # whoever reads the store would not know of it
    assert 0.5 <= result.duration_seconds < 1.5
    assert any("A log could not be sent" in warning for warning in result.warnings)
    assert b"The result cannot be sent: " in done.stderr and b"sig=" not in done.stderr


def test_a_launcher_that_was_killed_is_reported_by_its_guard(launcher: Launcher, cloud: Cloud) -> None:
    with_report(launcher, cloud)
    process = launcher.shell("touch ready; sleep 60").start_and_await("ready")
    os.kill(launcher.launcher_proper(), 9)
    assert process.wait(DEADLINE) == 70
    assert "ended by SIGKILL" in (cloud.result.error or "")


def test_a_job_that_is_stopped_still_reports(launcher: Launcher, cloud: Cloud) -> None:
    with_report(launcher, cloud)
    process = launcher.shell("echo 1 >outputs/o; echo said; touch ready; sleep 60").start_and_await("ready")
    begin = time.monotonic()
    process.terminate()
    assert process.wait(DEADLINE) == 143
    assert time.monotonic() - begin < 4
    assert cloud.result.stopped == "terminated"
    assert (cloud.read("run/stdout.log"), cloud.read("run/files/outputs/o")) == (b"said\n", b"1\n")


def test_a_result_that_was_written_but_not_sent_is_sent_by_the_guard(
    launcher: Launcher, cloud: Cloud
) -> None:
    with FaultyProxy(cloud.url, lambda number, line: "stall" if "result" in line else None, 30) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_report(launcher, cloud)
        launcher.job = replace(launcher.job, web=replace(QUICK, timeout_seconds=60))
        process = launcher.shell("exit 3").start()
        eventually(lambda: "stall" in proxy.injected, "the launcher sends the result")
        proxy.fault = lambda number, line: None
        os.kill(launcher.launcher_proper(), 9)
        assert process.wait(DEADLINE) == 3
    assert cloud.result == launcher.result and cloud.result.exit_code == 3


def test_the_logs_of_a_job_whose_time_is_up_are_sent(launcher: Launcher, cloud: Cloud) -> None:
    with FaultyProxy(cloud.url, lambda number, line: "busy" if number % 4 else None) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_report(launcher, cloud, seconds=60, patience_seconds=0)
        with_output(launcher, cloud)
        launcher.job = replace(launcher.job, time_limit_seconds=0.5, web=replace(QUICK, attempts=9))
        done = launcher.shell("echo said; sleep 60").run()
    assert (done.returncode, cloud.result.timed_out) == (124, True)
    assert cloud.read("run/stdout.log") == b"said\n"


def test_a_log_that_grows_is_sent_in_pieces(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with FaultyProxy(cloud.url) as proxy:
        growing = GrowingFile(str(path), Place(proxy.through(f"{cloud.url}/log"), cloud.query))
        web = Web(QUICK)
        growing.send(web)  # not there yet
        assert proxy.requests == []
        content = b""
        for size in (10, 500_000, 1_000_000, 3_000_000, 1, 0, 2_000_000):
            content += os.urandom(size)
            path.write_bytes(content)
            growing.send(web, last=True)
            assert cloud.read("log") == content
        sent = [line for line in proxy.requests if "comp=block&" in line]
        assert len(sent) == len(content) // (1 << 20) + 4  # full ones once, and a rest with each sending
        count = len(proxy.requests)
        growing.send(web)
        assert len(proxy.requests) == count  # nothing is new
        path.write_bytes(b"cut")
        growing.send(web)
        assert cloud.read("log") == b"cut"
