"""What runs on the other machine, besides the launcher: standard library only, Python 3.9 or newer.

Packed into a zip file by :mod:`mlsteps.compute.remote.tool`. Each verb is one command; what it has to say
goes to standard output as JSON, and what is wrong to standard error with exit code 1.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mlsteps.compute.scratch import ScratchFolder

_RUN_LOCK = "run.lock"
_LAST_SECONDS = 30.0
_KEEP_SECONDS = 30 * 24 * 3600
_READY = ".mlsteps-ready"
_PROBE = "import json, sys; print(json.dumps([sys.version_info[:2], sys.path]))"


def main() -> None:
    """Do what the command line says."""
    verb, *arguments = sys.argv[1:]
    verbs: dict[str, Callable[..., None]] = {
        "probe": probe,
        "packages": packages,
        "hold": hold,
        "receive": receive,
        "send": send,
        "run": run,
        "environment": environment,
    }
    try:
        verbs[verb](*arguments)
    except OSError as error:
        sys.exit(f"{error.filename or 'a file'}: {error.strerror or error}")


def probe(work: str, minor: str = "") -> None:
    """Tell what this machine has.

    :param minor: A version of Python that is looked for, or nothing.
    """
    os.makedirs(work, mode=0o700, exist_ok=True)
    uv = shutil.which("uv")
    for place in ("~/.local/bin/uv", "~/.cargo/bin/uv"):
        if uv is None and os.access(os.path.expanduser(place), os.X_OK):
            uv = os.path.expanduser(place)
    own = _minor(sys.version_info)
    wanted = sys.executable if minor in ("", own) else shutil.which(f"python{minor}")
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    _tell({"python": sys.executable, "minor": own, "uv": uv, "wanted": wanted, "variables": variables})


def packages(interpreter: str) -> None:
    """Tell an interpreter's minor version and the names in the folders that it imports packages from."""
    import subprocess  # each verb imports what it needs: all of them are started for every job

    said = subprocess.run(
        [os.path.expanduser(interpreter), "-c", _PROBE],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    if said.returncode:
        sys.exit(f"{interpreter} ended with exit code {said.returncode}")
    version, path = json.loads(said.stdout)
    listed = []
    for folder in path:
        if os.path.basename(folder) in ("site-packages", "dist-packages"):
            with contextlib.suppress(OSError):
                listed.append([name for name in os.listdir(folder) if name.endswith("-info")])
    _tell({"minor": _minor(version), "listed": listed})


def hold(work: str, job: str) -> None:
    """Make a job's folder, keep it until standard input ends and nothing runs in it, and delete it.

    Folders of jobs that nobody holds are deleted first: of a machine that was switched off, for example.
    """
    _forget_old(Path(work))
    with ScratchFolder(Path(work) / "jobs", job) as folder:
        _tell({"folder": str(folder)})
        while os.read(0, 4096):
            pass
        # The launcher has lost its lifeline at the same moment, and takes a while to end the script.
        with _locked(folder / _RUN_LOCK, _LAST_SECONDS):
            pass


def receive(folder: str) -> None:
    """Unpack a tar stream."""
    import tarfile

    files = size = 0
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        if hasattr(tarfile, "fully_trusted_filter"):
            archive.extraction_filter = tarfile.fully_trusted_filter
        for member in archive:
            archive.extract(member, folder)
            if member.isfile():
                files += 1
                size += os.stat(os.path.join(folder, member.name)).st_size
    _tell({"files": files, "size": size})


def send(folder: str) -> None:
    """Pack into a tar stream the files and folders that a JSON list on standard input names."""
    import tarfile

    root = os.path.realpath(folder)
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", dereference=True) as archive:
        for name in json.load(sys.stdin):
            top = os.path.join(root, name)
            found = [top] if os.path.isfile(top) else _files_below(top)
            for path in found:
                # A link to what is not the job's is not the job's either.
                if os.path.realpath(path).startswith(root + os.sep):
                    archive.add(path, os.path.relpath(path, root), recursive=False)


def run(folder: str, launcher: str, job_file: str) -> None:
    """Become the launcher; the folder is in use until it ends."""
    lock = os.open(os.path.join(folder, _RUN_LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    os.execv(sys.executable, [sys.executable, "-I", "-S", launcher, job_file])


def environment(folder: str) -> None:
    """Make a virtual environment unless it is there; one process at a time.

    The first line of standard input is JSON: ``commands``, run one after the other, with ``given`` as the
    standard input of each. When standard input ends, they do.
    """
    asked = json.loads(sys.stdin.readline())
    ready = Path(folder) / _READY
    Path(folder).parent.mkdir(parents=True, exist_ok=True)
    with _locked(Path(f"{folder}.lock")):
        if ready.exists():
            os.utime(ready)
            return
        if os.path.exists(folder):  # half made
            shutil.rmtree(folder)
        for command in asked["commands"]:
            code = _run(command, asked["given"])
            if code:
                shutil.rmtree(folder, ignore_errors=True)
                sys.exit(f"{Path(command[0]).name} ended with exit code {code}")
        ready.touch()


def _run(command: list[str], given: str) -> int:
    import subprocess
    import threading

    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True
    ) as process:

        def end_with_worker() -> None:
            while os.read(0, 4096):
                pass
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)

        threading.Thread(target=end_with_worker, daemon=True).start()
        with contextlib.suppress(BrokenPipeError):
            process.communicate(given.encode())
        return process.wait()


@contextlib.contextmanager
def _locked(path: Path, seconds: float | None = None) -> Any:
    """Hold a lock; after ``seconds`` go on without."""
    with path.open("a") as file:
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if end is not None and time.monotonic() > end:
                    break
                time.sleep(0.1)
        yield


def _forget_old(work: Path) -> None:
    """Delete snapshots and programs that no job asked for lately."""
    for folder in ("snapshots", "programs"):
        for path in (work / folder).glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEEP_SECONDS:
                    path.unlink()


def _files_below(top: str) -> list[str]:
    return [
        os.path.join(place, name)
        for place, _, names in os.walk(top)
        for name in names
        if os.path.isfile(os.path.join(place, name))
    ]


def _minor(version: Any) -> str:
    return f"{version[0]}.{version[1]}"


def _tell(what: Any, out: IO[str] = sys.stdout) -> None:
    out.write(json.dumps(what) + "\n")
    out.flush()
