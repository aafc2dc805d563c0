"""Reading a DAG file as Airflow does, and the pipelines in it that no DAG was made of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.compat import empty_dag_bag
from mlsteps.exceptions import UserErrorException
from mlsteps.local_airflow import environment
from mlsteps.pipeline import Pipeline
from mlsteps.runs.dag_ids import dag_id_from_name

if TYPE_CHECKING:
    from airflow.sdk import DAG


def load_dags(file: Path) -> list[DAG]:
    """The DAGs of a file, in the order it defines them; a Pipeline at its top level becomes one too.

    :raises UserErrorException: the file does not exist, cannot be imported, or defines none.
    """
    if not file.is_file():
        raise UserErrorException(f"{file}: there is no such file.")
    # Airflow passes over files that do not mention it; whoever names a file here means it.
    with environment({"AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE": "False"}):
        bag = empty_dag_bag(str(file))
    if bag.import_errors:
        raise UserErrorException(
            f"{file} cannot be imported:\n{next(iter(bag.import_errors.values())).strip()}"
        )
    values = list(_top_level(file))
    order = {id(value): number for number, (_, value) in enumerate(values)}
    dags = sorted(bag.dags.values(), key=lambda dag: (order.get(id(dag), len(order)), dag.dag_id))
    dags = dags or _pipelines(file, values)
    if not dags:
        raise UserErrorException(f"{file} defines no DAG and no Pipeline.")
    return dags


def _top_level(file: Path) -> Iterator[tuple[str, object]]:
    """The names of a file and their values, in its own order. Airflow imports it under a name of its own."""
    for module in list(sys.modules.values()):
        if os.path.abspath(getattr(module, "__file__", None) or "") == str(file.absolute()):
            yield from vars(module).items()


def _pipelines(file: Path, values: Iterable[tuple[str, object]]) -> list[DAG]:
    found: dict[int, tuple[str, Pipeline]] = {}
    for name, value in values:
        if isinstance(value, Pipeline):
            found.setdefault(id(value), (name, value))  # one pipeline may go by two names
    if len(found) == 1:
        return [pipeline.to_dag(dag_id_from_name(file.stem)) for _, pipeline in found.values()]
    return [pipeline.to_dag(dag_id_from_name(f"{file.stem}_{name}")) for name, pipeline in found.values()]
