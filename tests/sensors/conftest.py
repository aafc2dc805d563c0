"""The project that tests of the sensor work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    return Project(tmp_path, monkeypatch)
