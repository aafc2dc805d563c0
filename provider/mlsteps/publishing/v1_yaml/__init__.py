"""Pipelines as YAML files in SDK v1's format: read, and written."""

from mlsteps.publishing.v1_yaml.reading import load_yaml
from mlsteps.publishing.v1_yaml.writing import save_yaml

__all__ = ["load_yaml", "save_yaml"]
