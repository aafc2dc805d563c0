"""DraftView: what a pipeline draft is."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlsteps.publishing.named import Named
from mlsteps.records.pipeline_drafts import DraftRecord

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


class DraftView(Named[DraftRecord]):
    """The reading half of a :class:`~mlsteps.PipelineDraft`."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        graph_draft_id: str | None = None,
        parent_pipeline_id: str | None = None,
        parent_pipeline_run_id: str | None = None,
        parent_step_run_ids: Sequence[str] | None = None,
        parent_pipeline_draft_id: str | None = None,
        last_submitted_pipeline_run_id: str | None = None,
        _pipeline_draft_provider: Any = None,
    ) -> None:
        self.workspace = workspace
        self._record = DraftRecord(
            id,
            name or "",
            "",
            graph_draft_id or "",
            experiment_name or "",
            description or "",
            tags or {},
            properties or {},
            parent_pipeline_id=parent_pipeline_id,
            parent_pipeline_run_id=parent_pipeline_run_id,
            parent_pipeline_draft_id=parent_pipeline_draft_id,
            last_submitted_pipeline_run_id=last_submitted_pipeline_run_id,
        )

    def __repr__(self) -> str:
        return f"PipelineDraft(name={self.name!r}, id={self.id!r})"

    @property
    def tags(self) -> dict[str, Any]:
        """Labels that may change, which its runs get, too."""
        return dict(self._record.tags)

    @property
    def properties(self) -> dict[str, str]:
        """Labels that do not change."""
        return dict(self._record.properties)

    @property
    def parent_pipeline_id(self) -> str | None:
        """The published pipeline that it was made of."""
        return self._record.parent_pipeline_id

    @property
    def parent_pipeline_run_id(self) -> str | None:
        """The run that it was made of."""
        return self._record.parent_pipeline_run_id

    @property
    def parent_pipeline_draft_id(self) -> str | None:
        """The draft that it was made of."""
        return self._record.parent_pipeline_draft_id

    @property
    def parent_step_run_ids(self) -> builtins.list[str]:
        """Steps that it was made of; SDK v1's, always none."""
        return []

    @property
    def last_submitted_pipeline_run_id(self) -> str | None:
        """The run that was submitted last."""
        return self._record.last_submitted_pipeline_run_id
