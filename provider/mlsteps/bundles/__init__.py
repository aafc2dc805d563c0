"""The DAG bundle of a workspace's published pipelines, endpoints and schedules."""

from mlsteps.bundles.workspace_bundle import WorkspaceDagBundle

__all__ = ["WorkspaceDagBundle"]
