"""What differs between the Airflow versions."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mlsteps import compat
from processes import PROVIDER


@pytest.mark.parametrize("name", compat.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(compat, name) is not None


def test_references_come_back_from_xcom_without_configuration() -> None:
    code = """
from mlsteps.compat import _first_module, allow_references
from mlsteps.data import PortDataReference, Producer
serde = _first_module("airflow.sdk.serde", "airflow.serialization.serde")
made = PortDataReference("n", "default", "d", "p", "file", 1, 1, "x", "m", Producer("a", "b", "c", -1, 1))
packed = serde.serialize(made)
try:
    serde.deserialize(packed)
except ImportError as error:
    assert "allow list" in str(error)
else:
    raise SystemExit("allowed without asking")
allow_references()
allow_references()
assert serde.deserialize(packed) == made
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PROVIDER)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
