"""Inputs are complete and unchanged when the script starts, or it does not start and is told why."""

from __future__ import annotations

import os
import random
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlsteps.launcher.digest import CHUNK_SIZE
from mlsteps.launcher.places import WebLimits
from servers.faults import Fault, FaultyProxy
from small_disks import small_disk

from .cloud import QUICK, Cloud, everything_told, with_input
from .conftest import DEADLINE, Launcher, eventually

FILES = {
    "small.txt": b"small",
    "empty": b"",
    "deep/er/ä ü%?#.bin": os.urandom(1000),
    "large.bin": random.Random(1).randbytes(5 * CHUNK_SIZE + 17),
}
SMALL_FILES = {f"f{number}": bytes([number]) * 100 for number in range(6)}


def read_back(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_files_of_all_sizes_stand_when_the_script_starts(launcher: Launcher, cloud: Cloud) -> None:
    path = with_input(launcher, cloud, FILES)
    single = with_input(launcher, cloud, {"": b"one"}, name="single")
    done = launcher.shell(f'cat "{path}/small.txt" "{single}"').run()
    assert (done.returncode, done.stdout) == (0, b"smallone"), done.stderr
    assert read_back(path) == FILES
    assert b"input data: 21.0 MB in " in done.stderr


def test_inputs_are_read_only_unless_they_are_to_be_written(launcher: Launcher, cloud: Cloud) -> None:
    fixed = with_input(launcher, cloud, {"a/b": b"1"}, name="fixed")
    own = with_input(launcher, cloud, {"a/b": b"2"}, name="own", writable=True)
    assert launcher.shell(f"echo 3 >{own}/a/b").run().returncode == 0
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (fixed, fixed / "a", fixed / "a" / "b")]
    assert modes == [0o555, 0o555, 0o444]
    assert (own / "a" / "b").read_text() == "3\n"


def test_an_earlier_try_does_not_stand_in_the_way(launcher: Launcher, cloud: Cloud) -> None:
    path = with_input(launcher, cloud, {"a": b"new"}, writable=True)
    path.mkdir(parents=True)
    (path / "a").write_text("of an earlier try, and longer")
    (path / "a").chmod(0o444)
    assert launcher.shell(f"cat {path}/a").run().stdout == b"new"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("delete", "deleted since the step was planned"),
        ("replace", "was changed or deleted since the step was planned"),
        ("replace, no version", "has not the content"),
        ("longer, no version", "bytes instead of"),
        ("shorter, no version", "bytes instead of"),
    ],
)
@pytest.mark.parametrize("name", ["small.txt", "large.bin"])
def test_data_that_is_not_what_was_planned_with_stops_the_job(
    launcher: Launcher, cloud: Cloud, change: str, told: str, name: str
) -> None:
    with_input(launcher, cloud, FILES)
    spec = launcher.job.inputs[0]
    blob = cloud.container.get_blob_client(f"data/{name}")
    if change == "delete":
        blob.delete_blob()
    else:
        size = len(FILES[name]) + {"l": 1, "s": -1}.get(change[0], 0)
        blob.upload_blob(b"x" * size, overwrite=True)
    if change.endswith("no version"):
        files = tuple(replace(file, version=None) for file in spec.files)
        launcher.job = replace(launcher.job, inputs=(replace(spec, files=files),))
    done = launcher.shell("touch ran").run()
    error = launcher.result.error or ""
    assert done.returncode == 70
    assert f"Input 'data', file '{name}'" in error and told in error, error
    assert not (Path(launcher.job.working_directory) / "ran").exists()
    assert cloud.secret not in everything_told(launcher, done.stdout, done.stderr)


def test_a_signature_that_expired_is_told_as_such(launcher: Launcher, cloud: Cloud) -> None:
    cloud.query = cloud.signed(-60)
    with_input(launcher, cloud, FILES)
    done = launcher.shell("touch ran").run()
    assert done.returncode == 70
    assert "the signed address expired at 20" in (launcher.result.error or "")
    assert "raise max_run_duration" in (launcher.result.error or "")
    assert cloud.secret not in everything_told(launcher, done.stdout, done.stderr)


def test_a_wrong_signature_is_told_without_showing_it(launcher: Launcher, cloud: Cloud) -> None:
    cloud.query = cloud.query.replace("sig=", "sig=bm9wZQ")
    with_input(launcher, cloud, {"a": b"1"})
    done = launcher.shell("true").run()
    assert "the signed address was refused (Auth" in (launcher.result.error or "")
    assert cloud.secret not in everything_told(launcher, done.stdout, done.stderr)


@pytest.mark.parametrize("fault", ["reset before", "busy", "throttled", "truncated", "swallowed", "stall"])
def test_a_fault_at_any_request_does_no_harm(launcher: Launcher, cloud: Cloud, fault: Fault) -> None:
    files = {**FILES, **SMALL_FILES}
    with FaultyProxy(cloud.url, stalls=0.3) as proxy:
        # Each request fails the first time that it is made.
        seen: set[str] = set()

        def first_time(number: int, line: str) -> Fault | None:
            key = f"{line} {number if 'large' in line else ''}"
            new = key not in seen and (number % 2 == 1 or "large" not in line)
            seen.add(key)
            return fault if new else None

        proxy.fault = first_time
        cloud.url = proxy.through(cloud.url)
        path = with_input(launcher, cloud, files)
        launcher.job = replace(launcher.job, web=replace(QUICK, attempts=12))
        done = launcher.shell("touch ran").run()
        assert done.returncode == 0, done.stderr
        assert len(proxy.injected) >= len(files) - 1
    assert read_back(path) == files


def test_a_server_that_is_always_busy_is_given_up_at_last(launcher: Launcher, cloud: Cloud) -> None:
    with FaultyProxy(cloud.url, lambda number, line: "busy") as proxy:
        cloud.url = proxy.through(cloud.url)
        with_input(launcher, cloud, {"a": b"1"})
        done = launcher.shell("true").run()
        assert len(proxy.requests) == QUICK.attempts
    error = launcher.result.error or ""
    assert done.returncode == 70
    assert "503 ServerBusy, though it was tried 5 times" in error, error
    assert cloud.secret not in everything_told(launcher, done.stdout, done.stderr)


@pytest.mark.parametrize("how", ["signal", "lifeline", "time limit"])
def test_the_end_of_a_job_interrupts_staging(launcher: Launcher, cloud: Cloud, how: str) -> None:
    with FaultyProxy(cloud.url, lambda number, line: "stall", stalls=30) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_input(launcher, cloud, FILES)
        web = WebLimits(timeout_seconds=60)
        launcher.job = replace(launcher.job, web=web, lifeline=how == "lifeline")
        if how == "time limit":
            launcher.job = replace(launcher.job, time_limit_seconds=1.0)
        process = launcher.shell("touch ran").start()
        eventually(lambda: proxy.requests, "the launcher asks for inputs")
        begin = time.monotonic()
        if how == "signal":
            process.terminate()
        elif how == "lifeline":
            assert process.stdin is not None
            process.stdin.close()
        code = process.wait(DEADLINE)
    assert time.monotonic() - begin < 3
    assert code == (124 if how == "time limit" else 143)
    expected = {"signal": "terminated", "lifeline": "worker-gone", "time limit": None}[how]
    assert (launcher.result.stopped, launcher.result.timed_out) == (expected, how == "time limit")
    assert not (Path(launcher.job.working_directory) / "ran").exists()


def test_a_launcher_killed_while_staging_leaves_a_result_that_is_no_success(
    launcher: Launcher, cloud: Cloud
) -> None:
    with FaultyProxy(cloud.url, lambda number, line: "stall", stalls=30) as proxy:
        cloud.url = proxy.through(cloud.url)
        with_input(launcher, cloud, FILES)
        process = launcher.shell("touch ran").start()
        eventually(lambda: proxy.requests, "the launcher asks for inputs")
        os.kill(launcher.launcher_proper(), 9)
        assert process.wait(DEADLINE) == 70
    assert not launcher.result.succeeded
    assert not (Path(launcher.job.working_directory) / "ran").exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_full_disk_is_told_in_words(launcher: Launcher, cloud: Cloud, tmp_path: Path, known: bool) -> None:
    small = tmp_path / "small"
    with small_disk(small, 12):
        with_input(launcher, cloud, FILES)
        specs = [replace(launcher.job.inputs[0], path=str(small / "in"))]
        if not known:  # each fits, and both together do not
            large = tuple(file for file in specs[0].files if file.path == "large.bin")
            cloud.put("half", {"large.bin": FILES["large.bin"][: 8 << 20]})
            half = replace(large[0], size=8 << 20, version=None, digest=None)
            specs = [
                replace(specs[0], name=name, path=str(small / name), url=f"{cloud.url}/half", files=(half,))
                for name in ("one", "other")
            ]
        launcher.job = replace(launcher.job, inputs=tuple(specs))
        done = launcher.shell("touch ran").run()
    error = launcher.result.error or ""
    assert done.returncode == 70
    assert ("does not fit on the disk" if known else "the disk is full at") in error, error
    assert "Give the compute target more disk" in error


def test_the_snapshot_and_small_files_may_come_with_the_job(
    launcher: Launcher, cloud: Cloud, tmp_path: Path
) -> None:
    from mlsteps.launcher.snapshot_archive import write_archive

    (tmp_path / "main.sh").write_text("cat ../../run/context.json main.txt 2>&1; ls -A .. | tr '\\n' ' '")
    (tmp_path / "main.txt").write_text("text")
    archive = tmp_path / "s.zip"
    write_archive([(name, tmp_path / name) for name in ("main.sh", "main.txt")], archive)
    cloud.put("snapshots/s.zip", {"": archive.read_bytes()})
    launcher.job = replace(
        launcher.job,
        snapshot=cloud.place("snapshots/s.zip").address,
        files={str(launcher.folder / "run" / "context.json"): "ä{}"},
        command=("sh", "main.sh"),
        web=QUICK,
    )
    done = launcher.run()
    assert (done.returncode, done.stdout.decode()) == (0, "ä{}textwork "), done.stderr
    cloud.container.get_blob_client("snapshots/s.zip").delete_blob()
    assert launcher.run().returncode == 70
    assert "The snapshot cannot be fetched" in (launcher.result.error or "")
    assert cloud.secret not in everything_told(launcher)
