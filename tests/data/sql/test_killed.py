"""A process that is killed while it loads: nothing is seen of it, and a retry makes exactly one copy."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlsteps.data.sql import files_to_table
from mlsteps.data.stores import FolderStore
from processes import Fork, Forks
from servers.databases import Database

ROWS = 60_000

_IMPORTS = "import pyarrow.parquet, sqlalchemy, mlsteps.data.sql, mlsteps.data.stores"
_LOAD = """
import sys
import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from mlsteps.data.sql import SqlStore, files_to_table
from mlsteps.data.stores import FolderStore
url, folder, load_id = sys.argv[1:]
sql = SqlStore(lambda: sa.create_engine(url, poolclass=NullPool), "Datastore")
def progress(rows, size):
    print(rows, flush=True)
files_to_table(FolderStore(folder), ["t.parquet"], sql, "t", load_id=load_id, progress=progress)
print("done", flush=True)
import time
time.sleep(30)  # killed after the end, too
"""


@pytest.fixture
def source(files: FolderStore) -> FolderStore:
    files.root.mkdir()
    table = pa.table({"n": pa.array(range(ROWS), pa.int64()), "text": ["x" * 20] * ROWS})
    pq.write_table(table, files.local_path("t.parquet"))
    return files


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(_IMPORTS, tmp_path_factory.mktemp("forks")) as forks:
        yield forks


def load(forks: Forks, database: Database, source: FolderStore, load_id: str, code: str = _LOAD) -> Fork:
    return forks.start(code, database.url, source.root, load_id)


def kill_after(process: Fork, line: str, seconds: float = 0) -> None:
    for text in process.lines():
        if text.strip() == line or (line.isdigit() and text.strip().isdigit() and int(text) >= int(line)):
            break
    else:
        raise AssertionError(f"the process ended with {process.wait()} before it came to {line}")
    time.sleep(seconds)
    process.kill()


def count(database: Database) -> tuple[object, ...]:
    return database.rows("SELECT count(*), count(DISTINCT n), coalesce(sum(n), 0) FROM t")[0]


WHOLE = (ROWS, ROWS, ROWS * (ROWS - 1) // 2)


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
def test_killed_in_the_middle(database: Database, source: FolderStore, forks: Forks, exists: bool) -> None:
    if exists:
        database.run("CREATE TABLE t (n BIGINT, text VARCHAR(50))")
    kill_after(load(forks, database, source, "run"), "20000")
    if exists:
        assert count(database)[0] == 0
    else:
        assert "t" not in database.tables()
    written = files_to_table(source, ["t.parquet"], database.sql, "t", load_id="run")
    assert (written.rows, written.repeated) == (ROWS, False)
    assert count(database) == WHOLE
    assert database.tables() == ["mlsteps_loads", "t"]


def test_killed_after_the_end(database: Database, source: FolderStore, forks: Forks) -> None:
    kill_after(load(forks, database, source, "run"), "done")
    written = files_to_table(source, ["t.parquet"], database.sql, "t", load_id="run")
    assert (written.rows, written.repeated) == (ROWS, True)
    assert count(database) == WHOLE


@pytest.mark.slow
@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
def test_killed_at_any_moment(database: Database, source: FolderStore, forks: Forks, exists: bool) -> None:
    """Around the commit: some of these kills come before it, some after it."""
    chance = random.Random(7)
    for attempt in range(5):
        database.run("DROP TABLE IF EXISTS t")
        if exists:
            database.run("CREATE TABLE t (n BIGINT, text VARCHAR(50))")
        process = load(forks, database, source, f"run {attempt}")
        kill_after(process, str(ROWS), chance.uniform(0, 0.05))
        files_to_table(source, ["t.parquet"], database.sql, "t", load_id=f"run {attempt}")
        assert count(database) == WHOLE
        assert database.tables() == ["mlsteps_loads", "t"]


def test_killed_between_the_rows_and_the_name(mariadb: Database, source: FolderStore, forks: Forks) -> None:
    code = _LOAD.replace("import sys\n", "import sys, time\nfrom mlsteps.data.sql import staging\n", 1)
    stop = "def late(*args):\n    print('late', flush=True)\n    time.sleep(30)\nstaging.publish = late\n"
    code = code.replace("def progress", stop + "def progress", 1)
    kill_after(load(forks, mariadb, source, "run", code), "late")
    assert "t" not in mariadb.tables()
    written = files_to_table(source, ["t.parquet"], mariadb.sql, "t", load_id="run")
    assert (written.rows, written.repeated) == (ROWS, True)
    assert count(mariadb) == WHOLE
    assert mariadb.tables() == ["mlsteps_loads", "t"]


def test_what_another_load_left_is_dropped_with_its_entry(
    mariadb: Database, source: FolderStore, forks: Forks
) -> None:
    code = _LOAD.replace("import sys\n", "import sys, time\nfrom mlsteps.data.sql import staging\n", 1)
    stop = "def late(*args):\n    print('late', flush=True)\n    time.sleep(30)\nstaging.publish = late\n"
    code = code.replace("def progress", stop + "def progress", 1)
    kill_after(load(forks, mariadb, source, "first", code), "late")
    files_to_table(source, ["t.parquet"], mariadb.sql, "t", load_id="second")
    assert mariadb.tables() == ["mlsteps_loads", "t"]
    assert count(mariadb) == WHOLE
    first = files_to_table(source, ["t.parquet"], mariadb.sql, "t", load_id="first")
    assert not first.repeated
    assert count(mariadb)[0] == 2 * ROWS
