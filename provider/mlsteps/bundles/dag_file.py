"""The DAG of a published pipeline, made from the JSON beside its DAG file; nothing published runs here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.bundles.manifest import Entry, read_document
from mlsteps.definitions import parse
from mlsteps.pipeline import Pipeline
from mlsteps.publishing.dag_ids import told_publication
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG

# All DAG files of the bundle are this text. Airflow passes over files that name neither DAG nor Airflow.
DAG_FILE = '''"""An Airflow DAG that was published with mlsteps. The file beside this one says what it is."""

from mlsteps.bundles.dag_file import dag_of

dag = dag_of(__file__)
'''

_ENDS_CODE = r"[`\r\n]"


def dag_of(file: str) -> DAG:
    """The DAG that the JSON beside a DAG file describes.

    :param file: The DAG file.
    :raises UserErrorException: something in it is wrong; the text says where.
    """
    entry, locator, definition = read_document(Path(file).with_suffix(".json").read_bytes())
    pipeline = Pipeline.from_definition(Workspace.from_locator(locator), parse(definition))
    dag = pipeline.to_dag(
        entry.dag_id,
        dag_display_name=entry.name,
        description=entry.description,
        # Another publication is another version of the DAG for Airflow, even if only code has changed: else
        # runs that are under way would go on with the new code.
        doc_md=_told(entry),
        tags=[entry.dag_id.partition(".")[0]],
        is_paused_upon_creation=not entry.active,
    )
    dag.fileloc = file
    return dag


def _told(entry: Entry) -> str:
    rows = [("Published", entry.published)]
    if entry.version is not None:
        rows.append(("Version", entry.version))
    if not entry.active:
        rows.append(("Status", "Disabled"))
    # As code, because whoever published it chose the words.
    lines = [f"- {name}: `{re.sub(_ENDS_CODE, '', value)}`" for name, value in rows]
    return "\n".join([told_publication(entry.publication), *lines])
