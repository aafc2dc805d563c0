"""Outputs that are sent are complete where they arrive, and the manifest comes when all of them are."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from mlsteps.launcher.manifest import Manifest, build_manifest, read_manifest
from mlsteps.launcher.places import WebLimits
from mlsteps.launcher.remote import DIGEST_KEY
from servers.faults import Fault, FaultyProxy

from .cloud import QUICK, Cloud, everything_told, with_output, with_report
from .conftest import DEADLINE, Launcher, eventually

FILES = {
    "small.txt": b"small",
    "empty": b"",
    "deep/er/ä ü%?#.bin": os.urandom(1000),
    "large.bin": random.Random(1).randbytes(5 * CHUNK_SIZE + 17),
}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder of files, for scripts to copy."""
    for name, data in FILES.items():
        path = tmp_path / "prepared" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "prepared"


def test_what_the_script_wrote_is_sent_with_its_digests(
    launcher: Launcher, cloud: Cloud, prepared: Path
) -> None:
    out = with_output(launcher, cloud)
    model = with_output(launcher, cloud, "model", create=False)
    done = launcher.shell(f"cp -r {prepared}/. {out}; echo m >{model}").run()
    assert done.returncode == 0, done.stderr
    assert {name: cloud.read(f"out/{name}") for name in FILES} == FILES
    assert cloud.read("model") == b"m\n"
    for name, data in FILES.items():
        assert cloud.metadata(f"out/{name}") == {DIGEST_KEY: digest_bytes(data)}
    for name, path in (("out", out), ("model", model)):
        sent = Manifest.from_json(cloud.read(f"run/manifests/{name}.json").decode())
        local = launcher.folder / "manifests" / f"{name}.json"
        assert sent == read_manifest(local) == build_manifest(path)


def test_only_files_that_match_are_sent(launcher: Launcher, cloud: Cloud, prepared: Path) -> None:
    out = with_output(launcher, cloud, patterns=("*.txt", "**/empty"))
    assert launcher.shell(f"cp -r {prepared}/. {out}").run().returncode == 0
    assert set(cloud.blobs("out/")) == {"out/small.txt", "out/empty"}
    sent = Manifest.from_json(cloud.read("run/manifests/out.json").decode())
    assert [entry.path for entry in sent.files] == ["empty", "small.txt"]


@pytest.mark.parametrize("code", ["exit 3", "rmdir $OUT", "mkfifo $OUT/pipe"])
def test_of_a_failed_job_no_manifest_is_sent(launcher: Launcher, cloud: Cloud, code: str) -> None:
    out = with_output(launcher, cloud)
    launcher.job = replace(launcher.job, environment={**launcher.job.environment, "OUT": str(out)})
    assert launcher.shell(code).run().returncode != 0
    assert cloud.blobs() == {}
    assert not (launcher.folder / "manifests" / "out.json").exists()


@pytest.mark.parametrize("fault", ["reset before", "reset after", "swallowed", "busy", "throttled"])
def test_a_fault_at_any_request_does_no_harm(
    launcher: Launcher, cloud: Cloud, prepared: Path, fault: Fault
) -> None:
    seen: set[str] = set()

    def first_time(number: int, line: str) -> Fault | None:
        new = line not in seen
        seen.add(line)
        return fault if new else None

    with FaultyProxy(cloud.url, first_time) as proxy:
        cloud.url = proxy.through(cloud.url)
        out = with_output(launcher, cloud)
        with_report(launcher, cloud)
        done = launcher.shell(f"cp -r {prepared}/. {out}").run()
        assert done.returncode == 0, done.stderr
        # Four small requests, three blocks and their list, a manifest and a result.
        assert len(proxy.injected) >= len(FILES) + 5
    assert {name: cloud.read(f"out/{name}") for name in FILES} == FILES
    assert cloud.metadata("out/large.bin") == {DIGEST_KEY: digest_bytes(FILES["large.bin"])}
    assert Manifest.from_json(cloud.read("run/manifests/out.json").decode()) == build_manifest(out)
    assert cloud.result.succeeded


def test_a_store_that_refuses_spoils_the_result_and_is_quoted_without_the_signature(
    launcher: Launcher, cloud: Cloud, prepared: Path
) -> None:
    good = cloud.query
    cloud.query = cloud.signed(-10)
    secret = cloud.secret
    out = with_output(launcher, cloud)
    cloud.query = good
    with_report(launcher, cloud)
    done = launcher.shell(f"cp -r {prepared}/. {out}").run()
    assert done.returncode == 70
    error = cloud.result.error or ""
    assert error.startswith("Output 'out': cannot be sent: http://") and "expired at 20" in error, error
    assert not cloud.has("run/manifests/out.json")
    told = everything_told(launcher, done.stdout, done.stderr, *cloud.blobs("run/").values())
    assert secret not in told and cloud.secret not in told


@pytest.mark.parametrize("how", ["signal", "kill", "time limit"])
def test_the_end_of_a_job_while_it_sends_leaves_no_word_of_success(
    launcher: Launcher, cloud: Cloud, prepared: Path, how: str
) -> None:
    def stall(number: int, line: str) -> Fault | None:
        return "stall" if "/out/large.bin" in line else None

    with FaultyProxy(cloud.url, stall, stalls=30) as proxy:
        cloud.url = proxy.through(cloud.url)
        out = with_output(launcher, cloud)
        with_report(launcher, cloud)
        limit = 1.5 if how == "time limit" else None
        launcher.job = replace(
            launcher.job, web=WebLimits(timeout_seconds=60), time_limit_seconds=limit, grace_seconds=1
        )
        process = launcher.shell(f"cp -r {prepared}/. {out}").start()
        eventually(lambda: "stall" in proxy.injected, "the launcher sends the large file")
        begin = time.monotonic()
        if how == "signal":
            process.terminate()
        elif how == "kill":
            os.kill(launcher.launcher_proper(), 9)
        code = process.wait(DEADLINE)
    assert time.monotonic() - begin < 4
    assert code == {"signal": 143, "kill": 70, "time limit": 124}[how]
    assert not launcher.result.succeeded and not cloud.result.succeeded
    assert not cloud.has("run/manifests/out.json") and not cloud.has("out/large.bin")
    assert not (launcher.folder / "manifests" / "out.json").exists()


def test_a_manifest_on_its_way_when_the_job_has_to_end_is_no_success(
    launcher: Launcher, cloud: Cloud, prepared: Path
) -> None:
    def stall(number: int, line: str) -> Fault | None:
        return "stall" if "/manifests/" in line else None

    with FaultyProxy(cloud.url, stall, stalls=30) as proxy:
        cloud.url = proxy.through(cloud.url)
        out = with_output(launcher, cloud)
        with_report(launcher, cloud)
        launcher.job = replace(launcher.job, web=WebLimits(timeout_seconds=60))
        process = launcher.shell(f"cp -r {prepared}/. {out}").start()
        eventually(lambda: "stall" in proxy.injected, "the launcher sends the manifest")
        begin = time.monotonic()
        process.terminate()
        assert process.wait(DEADLINE) == 143
    assert time.monotonic() - begin < 4
    assert not launcher.result.succeeded and not cloud.result.succeeded
    assert not (launcher.folder / "manifests" / "out.json").exists()


def test_files_that_no_store_can_take_in_blocks_are_sent_as_a_whole(
    launcher: Launcher, cloud: Cloud, prepared: Path
) -> None:
    """By plain PUT requests, as presigned addresses take them."""
    from .plain_store import plain_store

    with plain_store() as store:
        place = replace(cloud.place("out"), url=f"{store.url}/bucket/out", dialect="plain")
        out = with_output(launcher, cloud, upload=place)
        store.failures = 3
        done = launcher.shell(f"cp -r {prepared}/. {out}").run()
        assert done.returncode == 0, done.stderr
        assert store.files == {f"/bucket/out/{name}": data for name, data in FILES.items()}
        assert not [name for headers in store.headers for name in headers if name.lower().startswith("x-ms")]
    assert Manifest.from_json(cloud.read("run/manifests/out.json").decode()) == build_manifest(out)


def test_memory_does_not_grow_with_the_data(launcher: Launcher, cloud: Cloud) -> None:
    out = with_output(launcher, cloud)
    launcher.job = replace(launcher.job, web=replace(QUICK, threads=2, timeout_seconds=30))
    peak = launcher.folder / "peak"
    launcher.shell(f"head -c 200000000 /dev/zero >{out}/zeros")
    process = launcher.start()

    def ended() -> bool:
        try:
            status = Path(f"/proc/{launcher.launcher_proper()}/status").read_text()
            peak.write_text(next(line for line in status.splitlines() if line.startswith("VmHWM")))
        except (OSError, AssertionError, StopIteration):
            pass
        return process.poll() is not None

    eventually(ended, "the job ends", 60)
    assert process.returncode == 0
    assert int(peak.read_text().split()[1]) < 100_000, peak.read_text()
