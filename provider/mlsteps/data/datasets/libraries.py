"""pandas and pyarrow, imported when rows are read: a DAG file needs neither."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mlsteps.exceptions import UserErrorException


def pandas() -> Any:
    """The pandas module."""
    return _import("pandas", "pandas", "Reading rows of a dataset")


def parquet() -> Any:
    """The module ``pyarrow.parquet``."""
    return _import("pyarrow.parquet", "pyarrow", "Reading and writing Parquet files")


def _import(module: str, package: str, purpose: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UserErrorException(
            f"{purpose} needs the package {package}, which is not installed here: pip install {package}"
        ) from error
