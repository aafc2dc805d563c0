"""URIs of the assets of data at fixed places, as declarations tell them: nothing is opened or looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlsteps.asset_uris import data_uri
from mlsteps.data import DataReference, DatasetConsumptionConfig, SqlDataReference
from mlsteps.data.consumption import is_dataset
from mlsteps.exceptions import MlstepsException
from mlsteps.steps.parameter_texts import holds_parameter

if TYPE_CHECKING:
    from mlsteps.data.datasets.definition import Definition


def uri_of_place(data: DataReference) -> str | None:
    """The asset's URI of a path on a datastore, or of a table; None for rows that have no place.

    And None of a path that each run decides.
    """
    path = data.path_on_datastore
    if holds_parameter(path):
        return None
    if isinstance(data, SqlDataReference):
        if data.sql_table is None:
            return None
        from mlsteps.data.sql.table_name import TableName

        table = TableName.parse(data.sql_table, "sql_table")
        path = "/".join(part for part in (table.schema, table.name) if part)
    return place_uri(data.datastore.workspace, data.datastore.declared_name, path)


def uris_of_dataset(config: DatasetConsumptionConfig) -> Iterator[str]:
    """The URIs of the places that a dataset's files are at; of a pattern, the folder that it looks in.

    None of what only a run knows, which is a dataset that is a parameter or that is named; and of what lies
    on no datastore or at no place there: files on the web, and rows of queries.
    """
    dataset: Any = config.dataset
    if is_dataset(dataset) and dataset.workspace is not None:
        # Twice where two patterns look in one folder; whoever makes assets of them takes each once.
        for datastore, path in _places_of(dataset.definition):
            yield place_uri(dataset.workspace, datastore, path)


def _places_of(definition: Definition) -> Iterator[tuple[str | None, str]]:
    from mlsteps.data.datasets.definition import ConvertedSource, PathSource
    from mlsteps.data.datasets.globs import fixed_prefix, is_glob

    for source in definition.sources:
        if isinstance(source, PathSource):
            yield source.datastore, fixed_prefix(source.path) if is_glob(source.path) else source.path
        elif isinstance(source, ConvertedSource):
            yield from _places_of(source.dataset)


def place_uri(workspace: Any, datastore: str | None, path: str) -> str:
    """The asset's URI of a path on a datastore of a workspace.

    :param datastore: None is the default one.
    """
    return data_uri(workspace_name(workspace), datastore, path)


def workspace_name(workspace: Any) -> str:
    """A workspace by a name that is the same wherever the DAG file is read.

    Not its folder, which in a versioned bundle is another one in each version.
    """
    locator: str = workspace.locator
    if not locator.startswith("folder:"):
        return locator
    try:
        return f"folder:{workspace.config.name}"
    except MlstepsException:  # a task that needs the workspace will say what is wrong with it
        return f"folder:{locator.rstrip('/').rpartition('/')[2]}"
