"""How the data of steps is spelled as URIs of Airflow assets, and as datasets of OpenLineage.

Airflow imports it whenever it looks up what providers know of assets, so it imports nothing but the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset

# Airflow takes what starts with x- as it stands. For any other scheme it looks for somebody who knows it, and
# for that imports the assets of all providers, at the parse of a DAG file and once more in every task.
SCHEME = "x-mlsteps"

# Namespace of OpenLineage for data by the name that it keeps from run to run.
NAMESPACE = "mlsteps"

# The most that Airflow stores.
_LONGEST = 1500

_FORMATS = {
    "avro": "avro",
    "csv": "csv",
    "json": "json",
    "jsonl": "json",
    "orc": "orc",
    "parquet": "parquet",
    "txt": "text",
    "xml": "xml",
}


def output_uri(dag_id: str, task_id: str, output: str) -> str:
    """What a step makes on one output, run after run."""
    return f"{SCHEME}://output/{_part(dag_id)}/{_part(task_id)}/{_part(output)}"


def data_uri(workspace: str, datastore: str | None, path: str) -> str:
    """What lies at a place of a datastore.

    :param workspace: A name that is the same on all machines.
    :param datastore: None is the default one.
    """
    place = f"{SCHEME}://data/{quote(workspace, safe=':')}/{_part(datastore or 'default')}"
    return f"{place}/{quote(path)}" if path else place


def watch_uri(workspace: str, datastore: str, path: str, minutes: float) -> str:
    """What is new at a place of a datastore, as it is looked at every so many minutes."""
    place = data_uri(workspace, datastore, path).replace("://data/", "://watch/", 1)
    return f"{place}?minutes={minutes:g}"


def fits(uri: str) -> bool:
    """Whether Airflow can store it."""
    return len(uri) <= _LONGEST


def logical_name(uri: str) -> str:
    """The name in the namespace ``mlsteps`` of what one of our URIs stands for."""
    return unquote(uri.partition("://")[2])


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """An asset of ours as a dataset: for tasks that are not steps, and have it as inlet or outlet.

    Called by Airflow's OpenLineage provider; steps tell of their data themselves.
    """
    from openlineage.client.event_v2 import Dataset

    return Dataset(namespace=NAMESPACE, name=logical_name(asset.uri))


def dataset_name(url: str) -> tuple[str, str]:
    """Namespace and name, by OpenLineage's rules, of what lies at a store's URL or local path."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return "file", url
    host, path = parts.netloc.rpartition("@")[2], parts.path.lstrip("/")
    if parts.scheme in ("http", "https") and ".blob." in host:
        container, _, path = path.partition("/")
        secure = "s" if parts.scheme == "https" else ""
        return f"wasb{secure}://{container}@{host}", path or "/"
    return f"{parts.scheme}://{host}", path or "/"


def file_format(url: str) -> str | None:
    """The format of a single file, where its suffix tells one that OpenLineage has a word for."""
    return _FORMATS.get(url.rpartition("/")[2].rpartition(".")[2].lower())


def _part(name: str) -> str:
    return quote(name, safe="")
