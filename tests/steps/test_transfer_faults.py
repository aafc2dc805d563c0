"""DataTransferStep with a fault at every request that it makes, and with its process killed there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote, urlsplit

import pytest

from data.transfer.stores import blobs_of, content, fill, tree
from data.transfer.watching import readers
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, Store
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from processes import start
from servers.azurite import azurite
from servers.faults import Fault, FaultyProxy

__all__ = ["azurite"]

Kind = Literal["killed before", "killed after", "reset before", "reset after", "swallowed", "busy"]
# A kill hits while the service knows nothing of the request, or when it has done it.
KINDS: tuple[Kind, ...] = get_args(Kind)
WAYS = ("upload", "download", "copy")

OLD = {"a": b"old", "b/c": b"stays", "large": b"before"}
NEW = {
    "a": b"new",
    "b/c": b"stays",
    "b/d": content(70_000),
    "large": content(CHUNK_SIZE + 100),
    "s": b"s",
    "z": b"",
}
LEAST = 300

# Starts a process for each line that it reads, in no time, as all is imported: the step as a worker has it.
SERVER = """
import json, os, sys
from pathlib import Path
import azure.storage.blob
import mlsteps.hooks.azure, mlsteps.hooks.datastores
from mlsteps import Datastore, DataTransferStep, Workspace
from mlsteps.compute.job import JobInput, JobOutput, JobWatcher, StepJob
from mlsteps.data.stores.azure_account import AzureAccount, RetryLimits
from mlsteps.exceptions import MlstepsException
from mlsteps.steps.resolving import resolve

workspace = Workspace(folder=sys.argv[1])

def run(source, target, attempts):
    limits = RetryLimits(attempts=attempts, pause=0.005, connect=2, read=5)
    mlsteps.hooks.azure.AzureAccount = lambda make, label: AzureAccount(make, label, limits)
    there = Datastore(workspace, target).path("out")
    step = DataTransferStep(
        "copy", Datastore(workspace, source).path("in"), there, mirror=True, parallel=4, workspace=workspace
    )
    resolved = resolve(step, workspace, {})
    given, (port,) = resolved.inputs[0], step.output_ports
    datastore, path = step.output_place(resolved)
    job = StepJob(
        id="job", command=(), snapshot=None,
        inputs=(JobInput("in", "", "", given.store, given.path, "mount"),),
        outputs=(JobOutput(port.name, "", "", datastore.store, path, False),),
        run_configuration=None, variables={}, context={}, time_limit=None,
        scratch=Path(sys.argv[1]), environments=Path(sys.argv[1]), input_cache=Path(sys.argv[1]),
    )
    watcher = JobWatcher(lambda *line: None, lambda events: None, lambda folder: None)
    outcome = step.resolve_compute_target(workspace).run(job, watcher)
    assert outcome.error is None and outcome.manifests[port.name].files

mlsteps.hooks.azure.azure_account("blobs").client.get_container_client("imports what it needs")
for line in iter(sys.stdin.readline, ""):
    process = os.fork()
    if not process:
        code = 1
        try:
            os.read(0, 1)  # whoever kills it knows its number before it begins
            run(*json.loads(line))
            code = 0
        except MlstepsException:
            code = 3
        finally:
            os._exit(code)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
FAILED = 3


class Steps:
    """Runs the step in a process of its own, which may be killed."""

    def __init__(self, workspace: Path) -> None:
        self._server: subprocess.Popen[str] = start(SERVER, workspace)
        self.process = 0

    def run(self, source: str, target: str, attempts: int) -> int:
        """The exit code; a negative one is a signal's number."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([source, target, attempts]) + "\n")
        self._server.stdin.flush()
        self.process = int(self._server.stdout.readline())
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._server.communicate()


@contextmanager
def steps_of(workspace: Path) -> Iterator[Steps]:
    steps = Steps(workspace)
    try:
        yield steps
    finally:
        steps.close()


class Way:
    """One direction, with the old tree at the destination and the new one at the source."""

    def __init__(
        self, way: str, files: FolderStore, blobs: AzureBlobStore, steps: Steps, proxy: FaultyProxy
    ) -> None:
        self.names = ("files" if way == "upload" else "blobs", "files" if way == "download" else "blobs")
        self.source: Store = files if way == "upload" else blobs
        self.target: Store = files if way == "download" else blobs
        self._blobs, self._steps, self._proxy = blobs, steps, proxy
        fill(self.source, NEW, "in")

    def faults(self, kind: Kind) -> int:
        """Put a fault of one kind at each request in turn; how many there were."""
        number = 1
        while self._hit(kind, number):
            number += 1
        return number - 1

    def _hit(self, kind: Kind, number: int) -> bool:
        """Run the step with a fault at one request, then once more; False if it makes fewer requests."""
        self.target.delete("out")
        fill(self.target, {**OLD, "extra": b"goes"}, "out")
        hit: list[str] = []

        def fault(at: int, line: str) -> Fault | None:
            if at != number:
                return None
            hit.append(line)
            if not kind.startswith("killed"):
                return kind  # type: ignore[return-value]
            os.kill(self._steps.process, signal.SIGKILL)
            return "reset before" if kind == "killed before" else "reset after"

        # In every second one no request is repeated by itself, so that the try of the task fails.
        code = self._run(fault, attempts=0 if number % 2 else 4)
        allowed = {-signal.SIGKILL} if kind.startswith("killed") else {0, FAILED}
        assert code in (allowed if hit else {0}), (kind, number, hit, code)
        if code != 0:
            committed = self._committed()
            code = self._run(lambda at, line: None, attempts=4)
            assert code == 0, (kind, number, hit)
            again = [path for path in committed if path in self._moved()]
            assert not again, (kind, number, hit, self._proxy.requests)
        assert tree(self.target, "out") == NEW, (kind, number, hit)
        return bool(hit)

    def _committed(self) -> list[str]:
        """Paths at which the new content stands; what is read back at the end shows whether that is true."""
        new = {path: digest_bytes(data) for path, data in NEW.items()}
        found = [(info.below("out"), info) for info in self.target.list("out")]
        if isinstance(self.target, FolderStore):
            return [path for path, info in found if NEW.get(path) == self.target.read(info.path)]
        return [path for path, info in found if new.get(path) == info.content]

    def _run(self, fault: object, attempts: int) -> int:
        self._proxy.requests.clear()
        self._proxy.fault = fault  # type: ignore[assignment]
        return self._steps.run(*self.names, attempts)

    def _moved(self) -> set[str]:
        """Paths whose bytes the last run wrote to the destination, or read where that is a folder."""
        verb, folder = ("GET", "in") if isinstance(self.target, FolderStore) else ("PUT", "out")
        start = f"{urlsplit(self._blobs.url(folder)).path}/"
        targets = [line.split() for line in self._proxy.requests]
        paths = [unquote(urlsplit(target).path) for method, target, _ in targets if method == verb]
        return {path[len(start) :] for path in paths if path.startswith(start)}

    def leftovers(self) -> list[str]:
        """What is there besides the two trees: unfinished files, and blobs with nothing but loose blocks."""
        if isinstance(self.target, FolderStore):
            top = self.target.local_path("out")
            assert top is not None
            found = [file.relative_to(top).as_posix() for file in top.rglob("*") if file.is_file()]
        else:
            listed = self._blobs.container_client.list_blobs(include=["uncommittedblobs"])
            start = f"{self._blobs.prefix}/out/"
            found = [blob.name[len(start) :] for blob in listed if blob.name.startswith(start)]
        return [path for path in found if path not in NEW]


@pytest.mark.slow
@pytest.mark.timeout(600)  # three minutes where others are busy
def test_a_fault_at_any_request_and_another_try_leave_the_exact_tree(
    azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least 300 faults, all kinds together: killed, reset and refused at every request, in each direction.

    After another try nothing is lost, duplicated or left over; what was committed before the fault is not
    copied again; and a reader who asks all the while never sees half a file.
    """
    blobs = blobs_of(azurite.connection_string)
    blobs.write("makes the container", b"")
    with FaultyProxy(azurite.url) as proxy:
        extra = {"connection_string": proxy.through(azurite.connection_string)}
        monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "extra": extra}))
        (tmp_path / "workspace.yaml").write_text(
            "datastores:\n  files: files\n"
            f"  blobs: {{type: azure_blob, conn_id: blobs, container: {blobs.container}, prefix: root}}\n"
        )
        counts = {}
        with steps_of(tmp_path) as steps:
            for name in WAYS:
                blobs.delete("out")
                blobs.delete("in")
                way = Way(name, FolderStore(tmp_path / "files"), blobs, steps, proxy)
                with readers(way.target, "out", OLD, NEW, pause=0.2):
                    counts |= {(name, kind): way.faults(kind) for kind in KINDS}
                assert way.leftovers() == []
        assert min(counts.values()) > 10, counts
        assert sum(counts.values()) >= LEAST, counts
