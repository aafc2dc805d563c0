"""A workspace in a folder, and its default datastore."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps import Datastore, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(folder=tmp_path / "workspace")


@pytest.fixture
def datastore(workspace: Workspace) -> Datastore:
    return workspace.get_default_datastore()
