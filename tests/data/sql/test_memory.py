"""A million rows in the memory of a few thousand."""

from __future__ import annotations

import pytest

from mlsteps.data.stores import FolderStore
from processes import start
from servers.databases import Database

ROWS = 1_000_000
_LIMIT = 250  # MB at the peak, of which the libraries alone take more than 100

_PEAK = """
import sys
import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from mlsteps.data.sql import Query, SqlStore, files_to_table, query_to_file
from mlsteps.data.stores import FolderStore
url, folder, query, path = sys.argv[1:]
sql = SqlStore(lambda: sa.create_engine(url, poolclass=NullPool), "Datastore")
"""
_READ = "print(query_to_file(sql, Query(query), FolderStore(folder), path).rows)\n"
_WRITE = "print(files_to_table(FolderStore(folder), [path], sql, 'copy').rows)\n"
# Not getrusage(): a process starts with the peak of the one that started it.
_REPORT = "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)\n"


def peak(work: str, *arguments: object) -> tuple[int, int]:
    """Rows and megabytes of a process that does ``work``."""
    process = start(_PEAK + work + _REPORT, *arguments)
    printed, _ = process.communicate()
    assert process.returncode == 0
    rows, megabytes = map(int, printed.split())
    return rows, megabytes


@pytest.mark.slow
@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_a_million_rows_to_a_file(database: Database, files: FolderStore, path: str) -> None:
    series = {
        "postgresql": "generate_series(1, 1000000) AS s (seq)",
        "mariadb": "seq_1_to_1000000",
        "sqlite": "(WITH RECURSIVE s (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < 1000000) "
        "SELECT seq FROM s)",
    }[database.name]
    query = f"SELECT seq, seq * 0.5 AS half, 'some text of a row' AS text FROM {series}"
    rows, megabytes = peak(_READ, database.url, files.root, query, path)
    assert rows == ROWS
    assert megabytes < _LIMIT


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_many_rows_to_a_table(database: Database, files: FolderStore, path: str) -> None:
    query = "WITH RECURSIVE s (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < 900) "
    query += (
        "SELECT a.seq * 1000 + b.seq AS seq, 'some text of a row' AS text FROM s a, s b WHERE b.seq <= 300"
    )
    peak(_READ, database.url, files.root, query, path)
    rows, megabytes = peak(_WRITE, database.url, files.root, "", path)
    assert rows == 270_000
    assert megabytes < _LIMIT
