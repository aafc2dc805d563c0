"""Running a DAG in this process, with Airflow's ``dag.test`` and no scheduler.

The one place that leans on parts of Airflow that are not stated to be public: its test run needs a metadata
database, and a DAG that the database knows. ``tests/test_local_airflow.py`` fails when Airflow changes them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from sqlalchemy.engine import Engine

_BUNDLE = "dags-folder"


@dataclass(frozen=True)
class TaskEnd:
    """How one task of a run ended: ``state`` is Airflow's word for it."""

    task_id: str
    map_index: int
    name: str
    state: str | None
    seconds: float | None


@dataclass(frozen=True)
class FinishedRun:
    """A DAG run that is over."""

    dag_id: str
    run_id: str
    tasks: tuple[TaskEnd, ...]

    @property
    def failed(self) -> bool:
        """Whether any task failed, or could not start because another did."""
        return any(task.state in ("failed", "upstream_failed") for task in self.tasks)


def quieten() -> None:
    """Keep Airflow's own log lines and examples out of this process. Call before Airflow is imported."""
    if "airflow" not in sys.modules:
        os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "CRITICAL")
        os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        warnings.simplefilter("ignore")


def run_dag(dag: DAG, conf: Mapping[str, Any] | None = None) -> FinishedRun:
    """Run a DAG to its end, here and now, one task after the other."""
    ensure_database()
    from mlsteps.compat import empty_dag_bag, share_api_server, sync_dag_bag

    share_api_server()
    with tempfile.TemporaryDirectory() as nothing, _own_bundle(nothing):
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        with create_session() as session:
            session.merge(DagBundleModel(name=_BUNDLE))
        bag = empty_dag_bag(nothing)
        bag.bag_dag(dag)
        sync_dag_bag(bag, _BUNDLE)
        dag_run = dag.test(run_conf=dict(conf or {}))
        tasks = tuple(
            TaskEnd(
                ti.task_id,
                ti.map_index,
                getattr(dag.get_task(ti.task_id), "task_display_name", None) or ti.task_id,
                str(ti.state.value if hasattr(ti.state, "value") else ti.state) if ti.state else None,
                ti.duration,
            )
            for ti in _in_order(dag, dag_run.get_task_instances())
            if not _only_planned(dag.get_task(ti.task_id), ti)
        )
        return FinishedRun(dag.dag_id, dag_run.run_id, tasks)


def _only_planned(task: Any, ti: Any) -> bool:
    """Whether a task is the sensor that decided about the others, and did so."""
    from mlsteps.sensors import ReuseSensor

    return isinstance(task, ReuseSensor) and ti.state == "success"


def _in_order(dag: DAG, instances: list[Any]) -> list[Any]:
    from mlsteps.steps.planning import in_order

    order = {task.task_id: number for number, task in enumerate(in_order(dag))}
    return sorted(instances, key=lambda ti: (order.get(ti.task_id, len(order)), ti.map_index))


def ensure_database() -> None:
    """Make the metadata database's tables where they are missing.

    :raises MlstepsException: the database is a server's and has no tables; making them is up to its owner.
    """
    from airflow.utils import db
    from sqlalchemy import inspect

    engine = _engine()
    if inspect(engine).has_table("dag_bundle"):
        return
    if engine.dialect.name != "sqlite":
        raise MlstepsException("Airflow's metadata database has no tables: run 'airflow db migrate' first.")
    db.initdb()


@contextmanager
def _own_bundle(folder: str) -> Iterator[None]:
    """Let the test run look for DAGs in an empty folder, not in everything that is configured.

    Not on a database server: its list of bundles belongs to the running Airflow.
    """
    if _engine().dialect.name != "sqlite":
        yield
        return
    bundle = {
        "name": _BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": folder},
    }
    variables = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    with environment(variables):
        yield


def _engine() -> Engine:
    from airflow import settings

    if settings.engine is None:
        settings.configure_orm()  # type: ignore[no-untyped-call]
    assert settings.engine is not None
    return settings.engine


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that hold while the block runs; Airflow takes its settings from them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
