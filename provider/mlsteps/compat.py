"""Every difference between the Airflow versions that mlsteps runs on (3.1 to 3.3), and nothing else."""

from __future__ import annotations

from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

try:
    from airflow.sdk import conf
except ImportError:  # 3.1
    from airflow.configuration import conf

try:
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
except ImportError:  # 3.1
    from airflow.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSkipException",
    "ErrorType",
    "allow_references",
    "conf",
]


def allow_references() -> None:
    """Let XCom give back ``PortDataReference`` objects without a change of Airflow's configuration."""
    from mlsteps.data.port_reference import PortDataReference

    serde: Any
    try:
        from airflow.sdk import serde
    except ImportError:  # 3.1
        from airflow.serialization import serde
    if hasattr(serde, "allow_class"):
        serde.allow_class(PortDataReference)
    else:  # 3.1 and 3.2 keep the set that allow_class adds to, without the function
        serde._extra_allowed.add(f"{PortDataReference.__module__}.{PortDataReference.__qualname__}")


def empty_dag_bag(folder: str) -> Any:
    """A DagBag that has read nothing but ``folder``."""
    try:
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(folder)
    except TypeError:  # 3.2 has the module, with the old arguments
        return DagBag(folder, include_examples=False)
    except ImportError:  # 3.1
        from airflow.models.dagbag import DagBag as OldDagBag

        return OldDagBag(folder, include_examples=False)


def sync_dag_bag(bag: Any, bundle_name: str) -> None:
    """Make the metadata database know the DAGs of ``bag``."""
    try:
        from airflow.dag_processing.dagbag import sync_bag_to_db
    except ImportError:  # 3.1
        from airflow.models.dagbag import sync_bag_to_db
    sync_bag_to_db(bag, bundle_name, None)


def add_listener(listener: object) -> Any:
    """Let ``listener``'s hooks hear of tasks that run in this process; returns the manager to unregister from."""
    try:
        from airflow.sdk.listener import get_listener_manager
    except ImportError:  # 3.1
        from airflow.listeners.listener import get_listener_manager
    manager = get_listener_manager()
    manager.add_listener(listener)
    return manager
