"""The choice of where a demo keeps what it makes."""

from __future__ import annotations

from enum import Enum


class Storage(str, Enum):
    """A folder, or an emulator of Azure Blob Storage."""

    FOLDER = "folder"
    AZURITE = "azurite"
