"""Forwarding to MLflow: runs, steps with their metrics and files, and registered models. No Airflow here."""

from mlsteps.tracking.forward import forward_labels, forward_model, forward_reused, forward_step

__all__ = ["forward_labels", "forward_model", "forward_reused", "forward_step"]
