"""A process is said to have ended only where that is certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from mlsteps.records.liveness import process_identity
from mlsteps.reuse.process import has_ended, process_facts

pytestmark = pytest.mark.skipif(
    not process_identity()["processes"],
    reason="this machine does not tell one numbering of processes from another",
)


def test_one_that_runs() -> None:
    assert not has_ended(process_facts())


def test_one_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    assert has_ended({**process_facts(), "pid": process.pid})


def test_a_zombie() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    facts = {**process_facts(), "pid": process.pid, "started": None}
    assert not has_ended(facts)
    process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not has_ended(facts):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.wait()
    assert has_ended(facts)


def test_one_whose_first_thread_alone_has_ended() -> None:
    code = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
    code += "print(flush=True); ctypes.CDLL(None).pthread_exit(None)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        ended = has_ended({**process_facts(), "pid": process.pid, "started": None})
        process.kill()
    assert not ended


def test_another_one_with_the_same_number_is_another() -> None:
    facts = process_facts()
    assert has_ended({**facts, "started": facts["started"] - 1})


@pytest.mark.parametrize(
    ("error", "ended"), [(ProcessLookupError(), True), (PermissionError(), False), (None, False)]
)
def test_one_that_is_hidden(monkeypatch: pytest.MonkeyPatch, error: OSError | None, ended: bool) -> None:
    """/proc may be mounted so that it shows nobody the processes of others."""

    def kill(pid: int, number: int) -> None:
        assert number == 0
        if error is not None:
            raise error

    facts = process_facts()
    monkeypatch.setattr("mlsteps.reuse.process._look_up", lambda pid: None)
    monkeypatch.setattr(os, "kill", kill)
    assert has_ended(facts) is ended


@pytest.mark.parametrize(
    "change", [{"processes": "another boot"}, {"processes": ""}, {"pid": None}, {"pid": -1}, {"pid": 10**30}]
)
def test_of_what_cannot_be_looked_up_nothing_is_said(change: dict[str, Any]) -> None:
    assert not has_ended({**process_facts(), "started": 1, **change})
    assert not has_ended({})


def test_the_facts_are_those_of_this_process() -> None:
    facts = process_facts()
    assert facts["pid"] == os.getpid()
    assert isinstance(facts["started"], int)
