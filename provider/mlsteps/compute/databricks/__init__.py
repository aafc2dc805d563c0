"""Code on a Databricks workspace, by the Databricks provider's hook and trigger."""

from mlsteps.compute.databricks.databricks_compute import DatabricksCompute

__all__ = ["DatabricksCompute"]
