"""A file that does not fit on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.transfer.stores import content, tree
from mlsteps.data.stores import FolderStore
from mlsteps.data.transfer import transfer
from mlsteps.data.transfer.writers import LARGE
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import CHUNK_SIZE
from small_disks import small_disk


@pytest.mark.parametrize("size", [2 * CHUNK_SIZE, LARGE + CHUNK_SIZE])
def test_it_is_told_before_anything_is_copied(tmp_path: Path, size: int) -> None:
    source, target = FolderStore(tmp_path / "source"), FolderStore(tmp_path / "small")
    source.write("large", content(size))
    passed: list[int] = []
    with small_disk(tmp_path / "small", 4):
        with pytest.raises(DatastoreException, match=f"'.*small/large'.* {size} bytes.* are free"):
            transfer(source, "", target, "", told=lambda progress: passed.append(progress.bytes))
        assert tree(target) == {}
        source.write("large", content(CHUNK_SIZE // 2))
        transfer(source, "", target, "")
        assert tree(target) == {"large": content(CHUNK_SIZE // 2)}
        assert [path.name for path in (tmp_path / "small").iterdir()] == ["large"]
    assert not any(passed)
