"""Pipeline drafts as the workspace's registry has them; the definitions of each lie beside its states."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.states import States
from mlsteps.records.store import RecordStore

_ROOT = "mlsteps/registry/pipeline-drafts"


@dataclass(frozen=True)
class DraftRecord:
    """A draft as it is at one time.

    :param definition: Digest of its pipeline's definition.
    :param parameters: Values of the pipeline's parameters.
    :param parent_pipeline_id: The publication that it was made of; so of the other parents.
    :param last_submitted_pipeline_run_id: Of the run that was submitted last.
    :param deleted: Whether it is there no longer.
    """

    id: str
    name: str
    created: str
    definition: str
    experiment_name: str
    description: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    parent_pipeline_id: str | None = None
    parent_pipeline_run_id: str | None = None
    parent_pipeline_draft_id: str | None = None
    last_submitted_pipeline_run_id: str | None = None
    deleted: bool = False


DRAFTS = States(_ROOT, 1, DraftRecord)


def keep_draft_definition(store: RecordStore, id: str, text: str) -> str:
    """Keep a definition for a draft; returns its digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    store.create(_path(id, digest), text.encode())
    return digest


def read_draft_definition(store: RecordStore, record: DraftRecord) -> bytes:
    """The definition that a draft has. Raises FileNotFoundError."""
    return store.read(_path(record.id, record.definition))


def definitions_folder(id: str) -> str:
    """The folder of all definitions that a draft has had."""
    return f"{_ROOT}/{path_part(id)}/definitions"


def _path(id: str, digest: str) -> str:
    return f"{definitions_folder(id)}/{digest}.json"
