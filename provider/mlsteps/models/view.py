"""ModelView: what a registered model is."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.records import ModelRecord
    from mlsteps.runs import PipelineRun
    from mlsteps.workspace import Workspace


class ModelView:
    """The reading half of a :class:`~mlsteps.Model`."""

    workspace: Workspace
    _record: ModelRecord

    def _take(self, workspace: Workspace, record: ModelRecord) -> None:
        self.workspace, self._record = workspace, record

    def __repr__(self) -> str:
        return f"Model(name={self.name!r}, version={self.version}, tags={self.tags!r})"

    @property
    def name(self) -> str:
        """Its name."""
        return self._record.name

    @property
    def version(self) -> int:
        """Its version: 1, 2, 3..."""
        return self._record.model_version

    @property
    def id(self) -> str:
        """``name:version``."""
        return self._record.id

    @property
    def created_time(self) -> datetime:
        """When it was registered, UTC."""
        return datetime.fromisoformat(self._record.created)

    @property
    def description(self) -> str | None:
        """What was said of it."""
        return self._record.description

    @property
    def tags(self) -> dict[str, Any]:
        """Labels that may change."""
        return dict(self._record.tags)

    @property
    def properties(self) -> dict[str, Any]:
        """Labels of which none changes once it is there."""
        return dict(self._record.properties)

    @property
    def model_framework(self) -> str | None:
        """What it was made with."""
        return self._record.framework

    @property
    def model_framework_version(self) -> str | None:
        """The framework's version."""
        return self._record.framework_version

    @property
    def datasets(self) -> dict[str, builtins.list[str]]:
        """Names or ids of the datasets that it was made with, by scenario."""
        found: dict[str, builtins.list[str]] = {}
        for scenario, dataset in self._record.datasets:
            found.setdefault(scenario, []).append(dataset)
        return found

    @property
    def sample_inputdataset_label(self) -> str | None:
        """The name or id of a dataset to try it on."""
        return self._record.sample_input_dataset

    @property
    def sample_outputdataset_label(self) -> str | None:
        """The name or id of a dataset with what it should answer."""
        return self._record.sample_output_dataset

    @property
    def resource_configuration(self) -> dict[str, Any] | None:
        """What serving it needs."""
        found = self._record.resource_configuration
        return None if found is None else dict(found)

    @property
    def experiment_name(self) -> str:
        """The label of the run that registered it; empty where nobody's did."""
        return self._record.experiment

    @property
    def run_id(self) -> str:
        """The step run that registered it; empty where it was registered by hand."""
        return self._record.run_id

    @property
    def run(self) -> PipelineRun | None:
        """The pipeline run of that step."""
        if not self._record.dag_run_id:
            return None
        return self.workspace.get_run(self._record.dag_run_id)

    @property
    def url(self) -> str:
        """Where its files lie."""
        return self.workspace.record_store().url(self._record.path)
