"""A version of a pipeline endpoint, with its pipeline or only that one's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsteps.publishing.published_pipeline import PublishedPipeline


@dataclass(frozen=True)
class PipelineVersion:
    """A version of an endpoint. (SDK v1: ``azureml.pipeline.core.PipelineVersion``.)"""

    version: str
    pipeline: PublishedPipeline


@dataclass(frozen=True)
class PipelineIdVersion:
    """The same by id. (SDK v1: ``azureml.pipeline.core.PipelineIdVersion``.)"""

    version: str
    pipeline_id: str
