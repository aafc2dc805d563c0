"""Storage behind a datastore: one module per kind of store, all with the interface in ``base``."""

from mlsteps.data.stores.base import FileInfo, Store
from mlsteps.data.stores.folder import FolderStore

__all__ = ["FileInfo", "FolderStore", "Store"]
