"""Connections: how Airflow's own configuration describes a workspace."""
