"""Many processes that want the same results at the same time, some of which are killed.

``race`` starts this file as a program of its own; it forks the racers, so that one costs a few milliseconds,
kills some of them, and clears up in the end as a last caller would.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlsteps.data.stores import FolderStore, Store
from mlsteps.reuse import layout, watch
from mlsteps.reuse.claim import Claim, Claims
from mlsteps.reuse.entry import Origin, ReuseEntry
from mlsteps.reuse.single_flight import Mine, single_flight
from mlsteps.reuse.store import ReuseStore
from reuse.doubles import StoreThatCalls

TESTS = Path(__file__).parent.parent
PROVIDER = TESTS.parent / "provider"


@dataclass(frozen=True)
class Plan:
    """A race.

    :param starts: How many racers in all.
    :param contenders: How many of them want the same result.
    :param at_once: How many run at the same time.
    :param killed: The share of racers that is killed, at any moment of their first ``killed_within`` seconds.
    :param one_machine: Whether they can look each other's processes up.
    :param limit: Seconds after which the race has hung.
    :param blobs: Connection string and container, if they meet on blob storage and not in a folder.
    """

    folder: str
    starts: int
    contenders: int
    at_once: int
    killed: float
    killed_within: float
    lease: float
    beat_every: float
    one_machine: bool
    limit: float
    seed: int
    blobs: Mapping[str, str] | None = None

    def store(self) -> Store:
        """Where they all meet."""
        if self.blobs is None:
            return FolderStore(Path(self.folder) / "store")
        from azure.storage.blob import BlobServiceClient

        from mlsteps.data.stores.azure_account import AzureAccount
        from mlsteps.data.stores.azure_blob import AzureBlobStore

        text = self.blobs["connection_string"]
        account = AzureAccount(
            lambda options: BlobServiceClient.from_connection_string(text, **options), "the race's account"
        )
        return AzureBlobStore(account, self.blobs["container"], create_if_not_exists=True)

    def fingerprint(self, number: int) -> str:
        """What a racer wants."""
        return f"sha256k:{number // self.contenders:064x}"


@dataclass(frozen=True)
class Report:
    """What came of it.

    :param events: What the racers told, in order: racer, fingerprint, what, and more.
    :param killed: The racers that were killed while they ran.
    :param failed: Those that ended in any other way than well, with their exit codes.
    :param left: Whose claims stood after the race.
    :param left_at_last: The files of claims after every fingerprint was acquired and released once more.
    :param missing: Fingerprints that have no result in the end, before the last caller made them.
    """

    events: list[dict[str, Any]]
    killed: list[int]
    failed: dict[str, int]
    left: list[int]
    left_at_last: list[str]
    missing: list[str]
    hung: bool

    def told(self, what: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["what"] == what]


def race(plan: Plan) -> Report:
    """Run it in a program of its own."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(plan))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(PROVIDER), str(TESTS)))},
        stdout=subprocess.PIPE,
        text=True,
        timeout=plan.limit + 30,
        check=True,
    )
    return Report(**json.loads(done.stdout))


def content(fingerprint: str) -> Mapping[str, Any]:
    """What a racer computes: long enough that half of it could be met."""
    return {"return_value": [fingerprint, *range(2000)]}


class Racer:
    """One that wants a result."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.number = number
        self.fingerprint = plan.fingerprint(number)
        self.store: Store = (
            StoreThatCalls(Path(plan.folder) / "store", self.linger) if plan.blobs is None else plan.store()
        )
        self.results = ReuseStore(self.store)
        self.claims = Claims(self.store, plan.lease, plan.beat_every)
        self.random = random.Random(plan.seed * 10_000 + number)
        self.naps = random.Random(self.random.random())  # the thread that gives the signs of life draws, too
        self.log = os.open(Path(plan.folder) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(self, what: str, **more: Any) -> None:
        line = {"racer": self.number, "fingerprint": self.fingerprint, "what": what, **more}
        os.write(self.log, f"{json.dumps(line)}\n".encode())

    def linger(self, verb: str, path: str) -> None:
        """Let others come in between any two operations."""
        if self.naps.random() < 0.3:
            time.sleep(self.naps.uniform(0, 0.005))

    def lookup(self) -> ReuseEntry | None:
        found = self.results.read(self.fingerprint)
        if found.problem is not None:
            self.tell("damaged", problem=found.problem)
        if found.entry is not None and found.entry.values != content(self.fingerprint):
            self.tell("wrong")
        return found.entry

    def run(self) -> None:
        with single_flight(
            self.claims,
            self.fingerprint,
            {"racer": self.number},
            self.lookup,
            timeout=3600,
            waiting=lambda held, seconds: None,
        ) as turn:
            if isinstance(turn, Mine) and turn.claim is not None:
                self.compute(turn.claim)
            else:
                self.tell(type(turn).__name__)
        self.tell("ended")

    def compute(self, claim: Claim) -> None:
        self.tell("began")
        time.sleep(self.random.uniform(0, 0.03))
        self.tell("completed", lost=claim.lost)
        origin = Origin("dag", "run", "task", -1, 1, str(self.number), "step", "folder", "host", "user")
        entry = ReuseEntry(self.fingerprint, {}, {}, origin, "", 0, values=content(self.fingerprint))
        self.tell("recorded", first=self.results.record(entry))


class Race:
    """Starts, kills and waits for the racers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.deadline = time.monotonic() + plan.limit
        self.racers: dict[int, int] = {}
        self.doomed: dict[int, float] = {}
        self.killed: list[int] = []
        self.failed: dict[str, int] = {}

    def run(self) -> Report:
        plan = self.plan
        plan.store().stat("nothing")  # so that the racers need not import what a store needs, each anew
        if not plan.one_machine:
            watch.has_ended = lambda facts: False  # type: ignore[attr-defined]
        for number in range(plan.starts):
            while len(self.racers) >= plan.at_once:
                self._step()
            self._start(number)
        while self.racers:
            self._step()
        wanted = sorted({plan.fingerprint(number) for number in range(plan.starts)})
        store = plan.store()
        claims = [name for name in store.list_names(layout.CLAIMS) if name.endswith(".json")]
        left = [json.loads(store.read(f"{layout.CLAIMS}/{name}"))["holder"]["racer"] for name in claims]
        missing = [name for name in wanted if ReuseStore(store).read(name).entry is None]
        hung = time.monotonic() > self.deadline
        if not hung:
            self._clear_up(store, wanted)
        lines = (Path(plan.folder) / "log").read_text().splitlines()
        return Report(
            events=[json.loads(line) for line in lines],
            killed=self.killed,
            failed=self.failed,
            left=left,
            left_at_last=store.list_names(layout.CLAIMS),
            missing=missing,
            hung=hung,
        )

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid == 0:
            # Should this program be stopped, nobody stays behind.
            signal.alarm(int(self.plan.limit) + 10)
            try:
                Racer(self.plan, number).run()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        self.racers[pid] = number
        if self.random.random() < self.plan.killed:
            self.doomed[pid] = time.monotonic() + self.random.uniform(0, self.plan.killed_within)

    def _step(self) -> None:
        """Wait a moment, kill whose time has come, and see who has ended."""
        time.sleep(0.0005)
        now = time.monotonic()
        late = now > self.deadline
        for pid in [pid for pid in self.racers if late or self.doomed.get(pid, now) < now]:
            os.kill(pid, signal.SIGKILL)
            self.doomed.pop(pid, None)
        for pid in list(self.racers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                number = self.racers.pop(pid)
                self.doomed.pop(pid, None)
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                    self.killed.append(number)
                elif status:
                    self.failed[str(number)] = os.waitstatus_to_exitcode(status)

    def _clear_up(self, store: Store, wanted: list[str]) -> None:
        """Every fingerprint once more, by one who is not killed."""
        claims = Claims(store, self.plan.lease, self.plan.beat_every)
        seen, left = claims.watch(), list(wanted)
        while left:
            for fingerprint in list(left):
                got = claims.try_acquire(fingerprint, {}, seen)
                if isinstance(got, Claim):
                    got.release()
                    left.remove(fingerprint)
            time.sleep(0.02)
            if time.monotonic() > self.deadline + 10:
                return


if __name__ == "__main__":
    print(json.dumps(asdict(Race(Plan(**json.loads(sys.argv[1]))).run())))
