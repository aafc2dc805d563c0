"""A job may come as a file, by standard input or by the environment; the script gets at none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.job import Job
from mlsteps.launcher.job_source import VARIABLE, encoded, for_environment, job_in

from .cloud import Cloud, with_input, with_output, with_report
from .conftest import DEADLINE, Launcher

LOOK = r"""
import glob, os, sys
found = {}
def look(name, data):
    if data and any(word in data for word in WORDS):
        found[name] = True
for name, value in os.environ.items():
    look("environment", (name + "=" + value).encode())
pid = os.getpid()
while pid > 1:  # the launcher, the guard, and who started them up to the test
    status = open(f"/proc/{pid}/stat", "rb").read().rpartition(b")")[2].split()
    if pid == STOP:
        break
    for part in ("environ", "cmdline"):
        try:
            look(f"{part} of {pid}", open(f"/proc/{pid}/{part}", "rb").read())
        except OSError:
            pass
    if DEEP and pid != os.getpid():
        for name in [f"/proc/{pid}/mem", f"/proc/{pid}/environ", *glob.glob(f"/proc/{pid}/fd/*")]:
            try:
                open(name, "rb").close()
                found[name + " can be opened"] = True
            except OSError:
                pass
    pid = int(status[1])
for folder in FOLDERS:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            try:
                look(path, open(path, "rb").read())
            except OSError:
                pass
print(sorted(found))
"""


def looking(launcher: Launcher, *words: str, deep: bool = False) -> str:
    """A script that looks for words in everything that it can see, and prints where it found one."""
    # The words are told backwards: the script's own command line is no finding.
    told = [word[::-1] for word in words]
    values = f"WORDS = [w[::-1].encode() for w in {told!r}]; FOLDERS = {[str(launcher.folder)]!r}; "
    return f"{values}DEEP = {deep}; STOP = {os.getpid()}\n" + LOOK


def start(
    launcher: Launcher,
    how: str,
    python: str = sys.executable,
    cloud: Cloud | None = None,
    **options: object,
) -> tuple[subprocess.CompletedProcess[bytes], bytes]:
    command = [python, "-I", "-S", str(launcher.zip)]
    text, environment = None, {"PATH": os.environ["PATH"]}
    if how == "file":
        path = launcher.folder / "job.json"
        path.write_text(replace(launcher.job, delete_job_file=True).to_json())
        command.append(str(path))
    elif how == "address":
        assert cloud is not None
        cloud.put("jobs/job", {"": launcher.job.to_json().encode()})
        environment[VARIABLE] = cloud.place("jobs/job").address
    elif how == "environment":
        environment[VARIABLE] = for_environment(launcher.job)
    else:
        command.append("-")
        text = launcher.job.to_json() if how == "stdin" else encoded(launcher.job) + "\n"
    done = subprocess.run(
        command,
        input=(text or "").encode(),
        env=environment,
        capture_output=True,
        timeout=DEADLINE,
        **options,  # type: ignore[call-overload]
    )
    return done, done.stdout


WAYS = ["file", "environment", "stdin", "stdin, one line", "address"]


@pytest.mark.parametrize("how", WAYS)
def test_a_job_may_come_in_several_ways_and_is_gone_when_the_script_starts(
    launcher: Launcher, cloud: Cloud, how: str
) -> None:
    with_input(launcher, cloud, {"a": b"1"})
    with_output(launcher, cloud)
    with_report(launcher, cloud)
    words = [cloud.secret, encoded(launcher.job)[20:60]]
    launcher.python(looking(launcher, *words))
    done, out = start(launcher, how, cloud=cloud)
    assert (done.returncode, out) == (0, b"[]\n"), done.stderr
    assert not (launcher.folder / "job.json").exists()
    for blob in cloud.blobs("run/").values():
        assert cloud.secret.encode() not in blob
    assert cloud.secret not in launcher.result.to_json()


def test_the_look_finds_what_is_there(launcher: Launcher) -> None:
    """Else the test above would prove nothing."""
    (launcher.folder / "leak").write_text("a secret word")
    launcher.job = replace(launcher.job, environment={**launcher.job.environment, "LEAK": "secret word"})
    launcher.python(looking(launcher, "secret word"))
    done, out = start(launcher, "stdin")
    assert done.returncode == 0
    assert b"'environment'" in out and b"/leak'" in out


@pytest.fixture
def open_folder(launcher_zip: Path) -> Iterator[Path]:
    """A folder that any user may use."""
    folder = Path(tempfile.mkdtemp(prefix="mlsteps-open-"))
    folder.chmod(0o777)
    shutil.copy(launcher_zip, folder)
    yield folder
    shutil.rmtree(folder)


def python_of(user: int) -> str | None:
    """A Python that this user may start."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run([python, "-c", ""], user=user, cwd="/", capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root, to become another user")
@pytest.mark.parametrize("how", WAYS)
def test_a_script_cannot_look_into_its_launcher(
    launcher: Launcher, launcher_zip: Path, open_folder: Path, cloud: Cloud, how: str
) -> None:
    """As an ordinary user, who otherwise may read the memory of all of his processes."""
    nobody = 65534
    python = python_of(nobody)
    if python is None:
        pytest.skip("no Python on this machine can be started by other users")
    launcher.zip, launcher.folder = open_folder / launcher_zip.name, open_folder
    launcher.job = replace(
        launcher.job,
        working_directory=str(open_folder / "work"),
        log_directory=str(open_folder / "logs"),
        result_path=str(open_folder / "result.json"),
        keep_to=None,
    )
    script = looking(launcher, "no such word", deep=True)
    launcher.job = replace(launcher.job, command=(python, "-c", script))
    done, out = start(launcher, how, python, cloud, user=nobody, cwd="/")
    assert (done.returncode, out) == (0, b"[]\n"), done.stderr


def test_a_job_too_long_for_the_environment_is_refused(launcher: Launcher) -> None:
    noise = {f"/f/{number}": os.urandom(3000).hex() for number in range(60)}
    with pytest.raises(UserErrorException, match="by standard input, as a file, or"):
        for_environment(replace(launcher.job, files=noise))


def test_both_spellings_are_read(launcher: Launcher) -> None:
    assert job_in(encoded(launcher.job).encode()) == job_in(launcher.job.to_json().encode()) == launcher.job
    for nonsense in (b"", b"nonsense", b"bm9uc2Vuc2U="):
        with pytest.raises(UserErrorException, match="neither JSON nor"):
            job_in(nonsense)


def test_a_broken_job_is_told_without_its_secrets(launcher: Launcher) -> None:
    text = launcher.job.to_json().replace('"inputs": []', '"inputs": ["https://h/c?sv=1&sig=abcdefgh"]')
    assert "abcdefgh" in text
    command = [sys.executable, "-I", "-S", str(launcher.zip), "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=DEADLINE)
    assert done.returncode == 70
    assert b"inputs[0]: expected an object" in done.stderr and b"abcdefgh" not in done.stderr


def test_a_job_on_standard_input_leaves_the_rest_as_a_lifeline(launcher: Launcher) -> None:
    launcher.job = replace(launcher.job, lifeline=True)
    launcher.shell("touch ready; sleep 60")
    command = [sys.executable, "-I", "-S", str(launcher.zip), "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    launcher.started.append(process)  # type: ignore[arg-type]
    assert process.stdin is not None
    process.stdin.write(encoded(launcher.job).encode() + b"\n")
    process.stdin.flush()
    from .conftest import eventually

    eventually((Path(launcher.job.working_directory) / "ready").exists, "the script starts")
    process.stdin.close()
    assert process.wait(DEADLINE) == 143
    assert launcher.result.stopped == "worker-gone"


def test_a_job_that_cannot_be_fetched_is_told_without_its_signature(launcher: Launcher, cloud: Cloud) -> None:
    command = [sys.executable, "-I", "-S", str(launcher.zip)]
    environment = {VARIABLE: cloud.place("jobs/none").address}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=DEADLINE)
    assert done.returncode == 70
    assert b"The job cannot be fetched: http://" in done.stderr and b"BlobNotFound" in done.stderr
    assert cloud.secret.encode() not in done.stderr


def test_a_job_file_that_cannot_be_deleted_stops_the_job(launcher: Launcher, cloud: Cloud) -> None:
    """As of a volume that is mounted for reading: the script could read it there."""
    with_report(launcher, cloud)
    launcher.job = replace(launcher.shell("touch ran").job, delete_job_file=True)
    command = launcher.command()
    with open(command[-1], "rb") as file:
        fixed = f"/proc/{os.getpid()}/fd/{file.fileno()}"  # readable, and not to be deleted
        done = subprocess.run([*command[:-1], fixed], capture_output=True, timeout=DEADLINE)
    assert done.returncode == 70
    assert "Cannot delete the job file" in (cloud.result.error or "")
    assert not (Path(launcher.job.working_directory) / "ran").exists()


def test_a_repr_shows_no_signature(launcher: Launcher, cloud: Cloud) -> None:
    with_input(launcher, cloud, {"a": b"1"})
    with_output(launcher, cloud)
    with_report(launcher, cloud)
    job: Job = replace(launcher.job, snapshot=cloud.place("s.zip").address)
    assert cloud.secret in job.to_json() and cloud.secret not in repr(job)
