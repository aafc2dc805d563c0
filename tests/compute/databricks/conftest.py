"""Databricks as tests of its compute target have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.databricks.there import There
from mlsteps.compute.databricks import api
from servers.databricks_double import databricks_double


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(api, "RETRIES", 4)
    with databricks_double(tmp_path / "databricks") as double:
        monkeypatch.setenv("AIRFLOW_CONN_DBX", double.connection)
        yield There(tmp_path, double)
