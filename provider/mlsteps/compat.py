"""Every difference between the Airflow versions that mlsteps runs on (3.1 to 3.3), and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

if TYPE_CHECKING:
    from airflow.sdk import DAG, TaskGroup

if TYPE_CHECKING:
    from airflow.sdk import conf
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        AirflowTaskTimeout,
        DownstreamTasksSkipped,
        TaskDeferralError,
        TaskDeferralTimeout,
        XComNotFound,
    )
else:
    try:
        from airflow.sdk import conf
    except ImportError:  # 3.1
        from airflow.configuration import conf

    try:
        from airflow.sdk.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )
    except ImportError:  # 3.1
        from airflow.exceptions import (
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )

    try:
        from airflow.sdk.exceptions import DownstreamTasksSkipped, XComNotFound
    except ImportError:  # 3.1
        from airflow.exceptions import DownstreamTasksSkipped, XComNotFound

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "DownstreamTasksSkipped",
    "ErrorType",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "XComNotFound",
    "allow_references",
    "bundle_version",
    "conf",
    "current_dag",
    "current_task_group",
    "from_plain",
    "retry_policies",
    "set_paused",
    "set_xcom",
    "to_plain",
]


def bundle_version(version: str) -> Any:
    """A version of a DAG bundle, as a bundle tells it."""
    try:
        from airflow.dag_processing.bundles.base import BundleVersion
    except ImportError:  # 3.1, 3.2
        return version
    return BundleVersion(version)


def set_paused(dag_id: str, paused: bool) -> None:
    """Pause a DAG or let it go on, if Airflow knows it. For the DAG processor, which has the database."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=paused))


def current_dag() -> DAG | None:
    """The DAG whose ``with`` block is being run."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    return DagContext.get_current()


def current_task_group(dag: DAG) -> TaskGroup | None:
    """The task group of ``dag`` that a task declared now belongs to."""
    from airflow.sdk.definitions._internal.contextmanager import TaskGroupContext

    return TaskGroupContext.get_current(dag)


def allow_references() -> None:
    """Let XCom give back ``PortDataReference`` objects without a change of Airflow's configuration."""
    from mlsteps.data.port_reference import PortDataReference

    serde = _serde()
    if hasattr(serde, "allow_class"):
        serde.allow_class(PortDataReference)
    else:  # 3.1 and 3.2 keep the set that allow_class adds to, without the function
        serde._extra_allowed.add(f"{PortDataReference.__module__}.{PortDataReference.__qualname__}")


def set_xcom(key: str, value: Any, *, dag_id: str, task_id: str, run_id: str, map_index: int = -1) -> None:
    """Push an XCom in the name of another task of the same run."""
    from airflow.sdk.execution_time.xcom import XCom

    XCom.set(key, value, dag_id=dag_id, task_id=task_id, run_id=run_id, map_index=map_index)


def to_plain(value: Any) -> Any:
    """A value of an XCom as JSON types, as Airflow's own serializer writes it.

    :raises TypeError: Airflow cannot carry it; so do AttributeError, RecursionError and ValueError say.
    """
    return _serde().serialize(value)


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` wrote.

    :raises ImportError: its class is not there, or not among those that Airflow is allowed to read.
    """
    return _serde().deserialize(plain)


def empty_dag_bag(folder: str) -> Any:
    """A DagBag that has read nothing but ``folder``."""
    dag_bag = _dag_bag_module().DagBag
    try:
        return dag_bag(folder, include_examples=False)
    except TypeError:  # 3.3 knows no examples
        return dag_bag(folder)


def sync_dag_bag(bag: Any, bundle_name: str) -> None:
    """Make the metadata database know the DAGs of ``bag``."""
    _dag_bag_module().sync_bag_to_db(bag, bundle_name, None)


def share_api_server() -> None:
    """Let all tasks that run in this process use one API server; until 3.2 each makes its own, in seconds."""
    from airflow.sdk.execution_time import supervisor

    make = supervisor.in_process_api_server
    if not hasattr(make, "cache_clear"):
        supervisor.in_process_api_server = cache(make)


@contextmanager
def listening(on_task: Callable[[str, Any, object], None]) -> Iterator[None]:
    """Call ``on_task(event, task_instance, error)`` for every task that runs in this process.

    :param on_task: ``event`` is ``running``, ``success`` or ``failed``.
    """
    from airflow.listeners import hookimpl

    # The second until 3.1.
    listeners = _first_module("airflow.sdk.listener", "airflow.listeners.listener")

    class Listener:
        @hookimpl
        def on_task_instance_running(self, task_instance: Any) -> None:
            on_task("running", task_instance, None)

        @hookimpl
        def on_task_instance_success(self, task_instance: Any) -> None:
            on_task("success", task_instance, None)

        @hookimpl
        def on_task_instance_failed(self, task_instance: Any, error: object) -> None:
            on_task("failed", task_instance, error)

    listener, manager = Listener(), listeners.get_listener_manager()
    manager.add_listener(listener)
    try:
        yield
    finally:
        manager.pm.unregister(listener)


def retry_policies() -> Any:
    """The module with Airflow's retry policies; None before 3.3."""
    import airflow.sdk

    return airflow.sdk if hasattr(airflow.sdk, "ExceptionRetryPolicy") else None


def _serde() -> Any:
    return _first_module("airflow.sdk.serde", "airflow.serialization.serde")  # the second until 3.1


def _dag_bag_module() -> Any:
    return _first_module("airflow.dag_processing.dagbag", "airflow.models.dagbag")  # the second until 3.1


def _first_module(*names: str) -> Any:
    """The first of some modules that this Airflow has."""
    for name in names[:-1]:
        try:
            return import_module(name)
        except ImportError:
            pass
    return import_module(names[-1])
