"""Isolation of the tests, and DAGs that run without a server.

Every test process (each worker of pytest-xdist is one) has its own AIRFLOW_HOME with its own SQLite database.
It is set here, at import, because Airflow reads its configuration when it is first imported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ordering import arrange
from servers import docker_engine as docker_servers
from servers.docker_engine import docker_engine
from servers.image_registry import image_registry, open_registry
from servers.spark import spark
from workers import pytest_xdist_auto_num_workers, pytest_xdist_make_scheduler

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from steps.project import Project


__all__ = ["docker_engine", "image_registry", "open_registry", "spark"]  # fixtures
__all__ += ["pytest_xdist_auto_num_workers", "pytest_xdist_make_scheduler"]  # hooks


def _isolate_airflow() -> Path:
    """Point Airflow at a new, empty home, whatever the caller's shell says; returns the home."""
    home = Path(tempfile.mkdtemp(prefix="mlsteps-tests-"))
    owner = os.getpid()  # a forked child must not clear away what its parent still uses
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(home, ignore_errors=True))
    (home / "dags").mkdir()
    # A connection, a database or a secret of a developer's own Airflow has no business in a test.
    for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "_AIRFLOW_"))]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # With True, Airflow would not notice an operator's execute() that is called from outside a task.
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return home


_AIRFLOW_HOME = _isolate_airflow()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test marked "smoke" where only those are asked for: imports take longest."""
    if config.option.markexpr == "smoke" and collection_path.match("test_*.py"):
        return True if "mark.smoke" not in collection_path.read_text("utf-8") else None
    return None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    arrange(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install what an engine needs while other tests run."""
    if not session.config.option.collectonly:
        preparing = docker_servers.begin_early(session.items)
        if preparing is not None:
            session.config.add_cleanup(lambda: docker_servers.give_up(preparing))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project to write scripts and pipelines in."""
    from steps.project import Project

    return Project(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """AIRFLOW_HOME of this test process."""
    return _AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Iterator[Path]:
    """The metadata database, made once for each test process; yields AIRFLOW_HOME."""
    from airflow import settings
    from airflow.utils import db

    db.initdb()
    yield airflow_home
    settings.dispose_orm()


@pytest.fixture
def run_dag(airflow_db: Path) -> Callable[..., Any]:
    """A function ``run_dag(dag, conf=None)`` that runs a DAG made in the test, and returns its DagRun.

    It is ``dag.test()``: real operators, real XCom and database, in this process and one task at a time. A
    failed task does not raise; the DagRun says so.
    """

    def run(dag: DAG, conf: dict[str, Any] | None = None) -> Any:
        _register(dag)
        # The logical date stays the default: None would make dag.test() wipe the DAG's earlier runs.
        return dag.test(run_conf=conf)

    return run


@pytest.fixture
def register(airflow_db: Path) -> Callable[[DAG], None]:
    """A function that tells Airflow's database about a DAG that stands in no file."""
    return _register


def _register(dag: DAG) -> None:
    """Tell the database about a DAG that stands in no file; ``dag.test()`` runs only what was serialized."""
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    except ImportError:  # 3.1
        from airflow.models.dagbag import DagBag, sync_bag_to_db
    try:
        bag = DagBag(folder, include_examples=False)
    except TypeError:  # 3.3 reads load_examples only
        bag = DagBag(folder)
    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
