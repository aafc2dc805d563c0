"""What a pod prints while only triggerers wait for it: told live, by whom, how much, and each line once.

The cluster is a double whose pods are real containers.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import ok, wait_for
from compute.pods import UNTIL_STOP, Make, Pods, cluster, pods, stop, with_stop
from mlsteps.compute import JobSuspended, StepJob
from mlsteps.compute.kubernetes.log_position import LogPosition
from mlsteps.compute.staged import StagingArea
from mlsteps.triggers import pod_lines
from mlsteps.triggers.pods import PodTrigger
from servers.azurite import azurite

__all__ = ["azurite", "cluster", "pods", "stop"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

# Each ends when it is told to: how soon a triggerer sees that a pod runs is the cluster's affair.
NUMBERS = """
import os, time
number = 0
while not os.path.exists("/shared/stop"):
    print("line", number, "of postgres://me:hush@db/x", flush=True)
    number += 1
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_lines, "_SECONDS", 0.4)
    monkeypatch.setattr(pod_lines, "_PAUSE", 0.2)


class Waiting:
    """A job that was left to the triggerer.

    :param folder: Seen by the pod as well.
    """

    def __init__(self, one: Pods, job: StepJob) -> None:
        self.one, self.job = one, job
        with pytest.raises(JobSuspended) as suspended:
            one.target.run(job, one.bench.watcher)
        self.settings = json.loads(json.dumps(suspended.value.settings))
        staged = suspended.value.staged
        assert staged is not None
        self.area = StagingArea(one.store, staged["name"])

    def triggerer(self, told: list[str]) -> PodTrigger:
        """Another one, which tells what it has to in ``told``."""
        trigger = PodTrigger(**self.settings)
        trigger.find_area = lambda: self.area
        trigger._tell = told.append
        trigger._warn = told.append
        return trigger

    def worker(self) -> list[str]:
        """What the worker tells that comes back."""
        ok(self.one.target.run(self.job, self.one.bench.watcher))
        return self.one.printed.splitlines()


def waiting_for(script: str, pods: Make, stop: Path) -> Waiting:
    one = with_stop(pods, stop, deferrable=True)
    return Waiting(one, one.job(script))


async def event_of(trigger: PodTrigger) -> Any:
    async for event in trigger.run():
        return event.payload


async def until(what: Callable[[], Any]) -> None:
    await asyncio.to_thread(wait_for, what)


async def stopped_after(what: Callable[[], Any], trigger: PodTrigger, stop: Path) -> Any:
    """The event, of a pod that is told to end when that is so."""
    event = asyncio.create_task(event_of(trigger))
    await until(what)
    stop.touch()
    return await event


async def shut_down(task: asyncio.Task[Any]) -> None:
    """End a triggerer's work, which one cancellation has to do, also where a line comes with it."""
    task.cancel()
    await asyncio.wait({task}, timeout=30)
    assert task.cancelled()


def words(lines: list[str]) -> list[int]:
    printed = [line for line in lines if not line.startswith("mlsteps: ")]  # the launcher's own words
    return [int(line.removeprefix("line ").split()[0]) for line in printed]


def test_lines_are_told_while_it_runs_and_whoever_comes_next_goes_on(pods: Make, stop: Path) -> None:
    waiting = waiting_for(NUMBERS, pods, stop)
    first: list[str] = []
    second: list[str] = []

    async def two_triggerers() -> Any:
        one = asyncio.create_task(event_of(waiting.triggerer(first)))
        await until(lambda: len(first) > 5)
        await shut_down(one)
        await asyncio.sleep(0.3)
        noted = LogPosition.noted(waiting.area.store)
        assert noted.lines == len(first) and waiting.one.cluster.pod_names()
        return await stopped_after(lambda: len(second) > 5, waiting.triggerer(second), stop)

    assert asyncio.run(two_triggerers())["status"] == "success"
    rest = waiting.worker()
    told = words([*first, *second, *rest])
    assert told == list(range(len(told)))
    assert "hush" not in "".join([*first, *second])


def test_a_triggerer_that_dies_costs_a_repeated_batch_and_no_line(
    pods: Make, stop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = waiting_for(NUMBERS, pods, stop)
    first: list[str] = []
    second: list[str] = []

    kept: list[int] = []

    def die(self: LogPosition, area: Any) -> None:
        if kept:
            raise OSError("no more")  # between telling and noting, which is the worst moment
        kept.append(self.lines)
        noted(self, area)

    noted = LogPosition.note
    with monkeypatch.context() as dying:
        dying.setattr(LogPosition, "note", die)

        async def dies() -> None:
            one = asyncio.create_task(event_of(waiting.triggerer(first)))
            await until(lambda: kept and len(words(first)) > kept[0])
            await shut_down(one)

        asyncio.run(dies())

    asyncio.run(stopped_after(lambda: second, waiting.triggerer(second), stop))
    once, again = words(first), words([*second, *waiting.worker()])
    assert again == list(range(again[0], again[-1] + 1))
    assert once == list(range(len(once))) and len(once) > kept[0]
    assert again[0] == kept[0]  # what had come since is the batch that is repeated


def test_of_very_much_some_is_told_live_and_the_rest_in_the_end(
    pods: Make, stop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_lines, "_MOST_LINES", 50)
    script = "for n in range(20000): print('line', n)\n" + UNTIL_STOP
    waiting = waiting_for(script, pods, stop)
    live: list[str] = []
    asyncio.run(stopped_after(lambda: live, waiting.triggerer(live), stop))
    assert 50 <= len(live) <= 50 * 20
    assert words([*live, *waiting.worker()]) == list(range(20000))


def test_a_line_without_end_is_left_to_the_worker(
    pods: Make, stop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_lines, "_LONGEST", 1 << 16)
    script = "print('line 0', flush=True)\nprint('x' * 300000, end='', flush=True)\n" + UNTIL_STOP
    waiting = waiting_for(script, pods, stop)
    live: list[str] = []
    asyncio.run(stopped_after(lambda: live, waiting.triggerer(live), stop))
    assert live in (["line 0"], ["line 0", "it prints a line without end"])
    assert "".join(waiting.worker()).count("x") > 250000


def test_what_airflow_masks_is_left_to_the_worker(pods: Make) -> None:
    from airflow.sdk.log import mask_secret

    mask_secret("the-word-that-is-masked")
    one = pods(deferrable=True)
    waiting = Waiting(one, one.job("print('line 0')", variables={"TOKEN": "see the-word-that-is-masked"}))
    assert waiting.settings["tells"] is False and "the-word" not in json.dumps(waiting.settings)
    live: list[str] = []
    asyncio.run(event_of(waiting.triggerer(live)))
    assert live == []
    assert "line 0" in waiting.worker()


def test_a_pod_whose_log_is_gone_is_not_told_twice(pods: Make, stop: Path) -> None:
    waiting = waiting_for(NUMBERS, pods, stop)
    live: list[str] = []

    async def deleted() -> None:
        event = asyncio.create_task(event_of(waiting.triggerer(live)))
        await until(lambda: len(live) > 5)
        waiting.one.cluster.delete_pod("ns", waiting.one.cluster.pod_names()[0], 0)
        await until(lambda: not waiting.one.cluster.pod_names())
        event.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(deleted()))
    thread.start()
    thread.join(60)
    outcome = waiting.one.target.run(waiting.job, waiting.one.bench.watcher)
    assert outcome.error is not None and "ended from outside" in outcome.error
    assert waiting.one.printed == ""
    assert any("The pod's log is gone" in line for _, line in waiting.one.bench.lines)


@pytest.mark.parametrize("text", ["", "[]", '{"last": 5, "lines": 1}', '{"last": "9", "lines": "x"}'])
def test_what_a_job_writes_in_place_of_a_position_counts_for_nothing(pods: Make, text: str) -> None:
    store = pods().store
    store.write("told.json", text.encode())
    assert LogPosition.noted(store) == LogPosition()
