"""Files on the workspace's default datastore."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlsteps import Datastore


@pytest.fixture
def put(datastore: Datastore) -> Callable[..., None]:
    """Writes files: ``put({"a/b.csv": "x"})``."""

    def write(files: dict[str, str | bytes]) -> None:
        for path, content in files.items():
            datastore.store.write(path, content.encode() if isinstance(content, str) else content)

    return write
