"""Published pipelines and endpoints: what a workspace's registry has of pipelines, frozen as they were."""

from mlsteps.publishing.pipeline_endpoint import PipelineEndpoint
from mlsteps.publishing.publish import publish, publish_run
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.publishing.versions import PipelineIdVersion, PipelineVersion

__all__ = [
    "PipelineEndpoint",
    "PipelineIdVersion",
    "PipelineVersion",
    "PublishedPipeline",
    "publish",
    "publish_run",
]
