"""The DAG bundle of a workspace's published pipelines and endpoints."""

from mlsteps.bundles.workspace_bundle import WorkspaceDagBundle

__all__ = ["WorkspaceDagBundle"]
