"""Registered models."""

from __future__ import annotations

from mlsteps.models.model import Model

__all__ = ["Model"]
