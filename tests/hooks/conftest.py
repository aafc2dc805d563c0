"""Airflow connections for tests of hooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function ``connect(conn_id, conn_type="wasb", **fields)`` that makes a connection known."""

    def connect(conn_id: str, conn_type: str = "wasb", **fields: Any) -> None:
        text = json.dumps({"conn_type": conn_type, **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)

    return connect
