"""Claims whose holder ends while its work goes on elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.reuse import layout
from mlsteps.reuse.claim import Claim, Claims, Held
from mlsteps.reuse.handed_on import HandedOn
from reuse.doubles import fingerprint

# A worker that claims and ends, with its work going on elsewhere.
WORKER = """
import json, sys
from pathlib import Path
from mlsteps.data.stores import FolderStore
from mlsteps.reuse.claim import Claims
claim = Claims(FolderStore(Path(sys.argv[1]))).try_acquire(sys.argv[2], {"run_id": "first"})
print(json.dumps(claim.hand_on()))
"""


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(FolderStore(tmp_path))


@pytest.fixture
def handed_on(tmp_path: Path) -> dict[str, str]:
    """What a process that has ended handed on."""
    command = [sys.executable, "-c", WORKER, str(tmp_path), fingerprint()]
    told: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    passed = [0.0]
    monkeypatch.setattr("mlsteps.reuse.watch.monotonic", lambda: time.monotonic() + passed[0])
    return lambda seconds: passed.append(passed.pop() + seconds)


def test_nobody_takes_it_for_dead_because_its_process_has_ended(
    claims: Claims, handed_on: dict[str, str], later: Callable[[float], None]
) -> None:
    watch = claims.watch()
    goes_on = HandedOn(claims, handed_on)
    for _ in range(5):
        got = claims.try_acquire(fingerprint(), {"run_id": "second"}, watch)
        assert isinstance(got, Held) and got.holder["run_id"] == "first"
        later(40)
        goes_on.give_sign()


def test_without_signs_it_is_dead_after_a_lease(
    claims: Claims, handed_on: dict[str, str], later: Callable[[float], None]
) -> None:
    watch = claims.watch()
    assert isinstance(claims.try_acquire(fingerprint(), {}, watch), Held)
    later(61)
    taken = claims.try_acquire(fingerprint(), {"run_id": "second"}, watch)
    assert isinstance(taken, Claim)
    assert HandedOn(claims, handed_on).taken_up() is None
    taken.release()


def test_who_takes_it_up_keeps_it_alive_and_releases_it(
    tmp_path: Path, handed_on: dict[str, str], later: Callable[[float], None]
) -> None:
    claims = Claims(FolderStore(tmp_path), lease=60, beat_every=0.05)
    watch = claims.watch()
    claim = HandedOn(claims, handed_on).taken_up()
    assert claim is not None
    for _ in range(3):
        assert isinstance(claims.try_acquire(fingerprint(), {}, watch), Held)
        time.sleep(0.2)
        later(40)
    assert not claim.lost
    claim.release()
    assert FolderStore(tmp_path).list_names(layout.CLAIMS) == []


def test_signs_of_several_givers_are_never_the_same(
    claims: Claims, handed_on: dict[str, str], tmp_path: Path
) -> None:
    beat = layout.beat(handed_on["fingerprint"], handed_on["claim"])
    seen = set()
    for giver in (HandedOn(claims, handed_on), HandedOn(claims, handed_on)):
        for _ in range(3):
            giver.give_sign()
            seen.add((tmp_path / beat).read_text())
    assert len(seen) == 6
