"""Compute targets that were created or attached in code, beside those that are configured."""

from __future__ import annotations

from mlsteps.records.named_settings import NamedSettings

REGISTERED = NamedSettings("mlsteps/registry/compute")
