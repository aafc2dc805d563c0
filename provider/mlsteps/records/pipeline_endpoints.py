"""Pipeline endpoints as the workspace's registry has them, and whose each name is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlsteps.records.names import Names
from mlsteps.records.states import States
from mlsteps.records.store import RecordStore

VERSION = 1


@dataclass(frozen=True)
class EndpointRecord:
    """A pipeline endpoint as it is at one time.

    :param status: ``Active`` or ``Disabled``.
    :param archived: Whether it is put away, and has no DAG.
    :param versions: Ids of published pipelines by version: "0", "1", ...
    """

    id: str
    name: str
    description: str
    status: str
    default_version: str
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    archived: bool = False


ENDPOINTS = States("mlsteps/registry/pipeline-endpoints", VERSION, EndpointRecord)
ENDPOINT_NAMES = Names("mlsteps/registry/pipeline-endpoint-names", "endpoint")


def create_endpoint(store: RecordStore, record: EndpointRecord) -> EndpointRecord | None:
    """Write a new endpoint; None if its name is another one's."""
    return ENDPOINTS.create_named(store, ENDPOINT_NAMES, record)
