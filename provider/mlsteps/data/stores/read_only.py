"""ReadOnlyStore: data that can be read like any other, and not be written to."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import NoReturn

from mlsteps.data.stores.base import Store
from mlsteps.exceptions import MlstepsException


class ReadOnlyStore(Store):
    """A store of which each verb that writes is an error."""

    @abstractmethod
    def read_only(self) -> MlstepsException:
        """The error, which names the data."""

    def write(self, path: str, data: bytes, durable: bool = True) -> NoReturn:
        raise self.read_only()

    def create(self, path: str, data: bytes) -> NoReturn:
        raise self.read_only()

    def put_file(self, source: Path, path: str) -> NoReturn:
        raise self.read_only()

    def delete(self, path: str) -> NoReturn:
        raise self.read_only()
