from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlsteps.environment.locks import exclusive

_HOLDER = """
import sys, time
from pathlib import Path
from mlsteps.environment.locks import exclusive
with exclusive(Path(sys.argv[1]), 5, print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_waits_says_for_whom_and_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        told: list[str] = []
        waiting = exclusive(path, 0.3, lambda who, seconds: told.append(who))
        with pytest.raises(TimeoutError, match=f"process {holder.pid} on"), waiting:
            pytest.fail("the lock was not held")
        assert len(told) == 1 and f"process {holder.pid} on" in told[0]
    finally:
        holder.kill()
        holder.wait()
    with exclusive(path, 1, lambda who, seconds: None) as waited:
        assert not waited
    assert path.exists()
