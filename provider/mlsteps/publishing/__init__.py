"""Published pipelines, endpoints and schedules: pipelines in a workspace's registry, frozen."""

from mlsteps.publishing.pipeline_draft import PipelineDraft
from mlsteps.publishing.pipeline_endpoint import PipelineEndpoint
from mlsteps.publishing.publish import graph_of_run, publish, publish_run, save_run
from mlsteps.publishing.published_pipeline import PublishedPipeline, newest_called
from mlsteps.publishing.schedule import Schedule
from mlsteps.publishing.versions import PipelineIdVersion, PipelineVersion

__all__ = [
    "PipelineDraft",
    "PipelineEndpoint",
    "PipelineIdVersion",
    "PipelineVersion",
    "PublishedPipeline",
    "Schedule",
    "graph_of_run",
    "newest_called",
    "publish",
    "publish_run",
    "save_run",
]
