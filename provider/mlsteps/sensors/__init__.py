"""Airflow sensors."""

from mlsteps.sensors.reuse import ReuseSensor

__all__ = ["ReuseSensor"]
