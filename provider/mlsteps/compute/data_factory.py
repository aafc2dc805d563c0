"""DataFactoryCompute: the name that SDK v1's pipelines give to what copies their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.configuration import ComputeConfiguration
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob


class DataFactoryCompute(ComputeTarget):
    """A name only: a DataTransferStep copies by itself, and needs no Data Factory.

    (SDK v1: ``azureml.core.compute.DataFactoryCompute``.)
    """

    kind = "datafactory"
    type = "DataFactory"

    def describe(self) -> Mapping[str, Any]:
        """Type and name."""
        return {"type": self.kind, "name": self.name}

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Refuse: it runs no scripts."""
        raise ComputeTargetException(
            f"Compute target {self.name!r} is a data factory and runs no scripts; "
            f"give it to a DataTransferStep, and this step another one."
        )

    @staticmethod
    def provisioning_configuration(location: str | None = None) -> ComputeConfiguration:
        """What to create; the location is of no effect."""
        return ComputeConfiguration({"type": DataFactoryCompute.kind})

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None, factory_name: str | None = None, resource_id: str | None = None
    ) -> ComputeConfiguration:
        """What to attach; nothing of it is of any effect."""
        return ComputeConfiguration({"type": DataFactoryCompute.kind})
