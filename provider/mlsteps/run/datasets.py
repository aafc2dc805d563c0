"""``run.input_datasets`` and ``run.output_datasets``: names to paths, with errors that help."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.run.context import InputPath


class NamedPaths(dict[str, str]):
    """A dict of paths whose ``KeyError`` says which names there are, or why there are none."""

    def __init__(self, paths: Mapping[str, str], what: str, why_none: str) -> None:
        super().__init__(paths)
        self._what = what
        self._why_none = why_none

    def __missing__(self, name: str) -> NoReturn:
        there = f"there are {', '.join(sorted(self))}" if self else self._why_none
        raise KeyError(f"No {self._what} is named {name!r}: {there}")


class DirectInput(str):
    """A dataset that the pipeline handed over in direct mode; as a text, the path where it was staged.

    Of a tabular dataset SDK v1's way to read it works, and of a file dataset those to find its files. What
    else a dataset would answer to is refused with a hint instead of a riddle.

    Args:
        path: The file or folder of a file dataset; a Parquet file with the rows of a tabular one.
        dataset: Its ``id``, ``name``, ``version``, and whether it is ``tabular``.
    """

    _dataset: Mapping[str, Any]

    def __new__(cls, path: str, dataset: Mapping[str, Any] | None = None) -> DirectInput:
        """Make the text; what it stands for is kept beside it."""
        made = super().__new__(cls, path)
        made._dataset = dataset or {}
        return made

    @property
    def id(self) -> str | None:
        """The dataset's id, which also stands in arguments."""
        return self._dataset.get("id")

    @property
    def name(self) -> str | None:
        """Its registered name, or None."""
        return self._dataset.get("name")

    @property
    def version(self) -> int | None:
        """Its registered version, or None."""
        return self._dataset.get("version")

    def to_pandas_dataframe(self, **ignored: Any) -> Any:
        """The rows of a tabular dataset. Needs pandas and pyarrow in the script's environment.

        Raises:
            AttributeError: it is a dataset of files.
            ImportError: the environment lacks pandas or pyarrow.
        """
        if not self._dataset.get("tabular"):
            raise self._unknown("to_pandas_dataframe")
        from importlib import import_module

        # The script's own: what runs beside it brings none.
        return import_module("pandas").read_parquet(str(self), engine="pyarrow")

    def to_path(self) -> list[str]:
        """The paths of the files of a file dataset, below where it stands, each with a slash in front."""
        return [f"/{relative}" for relative, _ in self._files("to_path")]

    def download(self, target_path: str | None = None, overwrite: bool = False) -> list[str]:
        """Copy the files of a file dataset to a folder (default: a new temporary one); returns their paths.

        Raises:
            FileExistsError: a file is there already, and ``overwrite`` was not given.
        """
        import shutil
        import tempfile

        found = self._files("download")
        target = target_path or tempfile.mkdtemp(prefix="dataset-")
        copies = [os.path.join(target, relative) for relative, _ in found]
        taken = [copy for copy in copies if os.path.exists(copy)]
        if taken and not overwrite:
            raise FileExistsError(f"{taken[0]!r} is there already; overwrite=True replaces it")
        for copy, (_, place) in zip(copies, found):
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(place, copy)
        return copies

    def _files(self, method: str) -> list[tuple[str, str]]:
        if self._dataset.get("tabular"):
            raise self._unknown(method)
        if os.path.isfile(self):
            return [(os.path.basename(self), str(self))]
        found = [os.path.join(folder, name) for folder, _, names in os.walk(self) for name in names]
        return sorted((os.path.relpath(place, self).replace(os.sep, "/"), place) for place in found)

    def _unknown(self, name: str) -> AttributeError:
        kind = "tabular dataset" if self._dataset.get("tabular") else "file dataset"
        return AttributeError(f"This {kind} has no {name!r} inside a step. Its data is at {str(self)!r}")

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(f"An input dataset has no {name!r}")
            raise self._unknown(name)


def input_datasets(inputs: Mapping[str, InputPath]) -> NamedPaths:
    """The mapping for a step with these inputs."""
    paths = {
        name: DirectInput(given.path, given.dataset) if given.mode == "direct" else given.path
        for name, given in inputs.items()
    }
    return NamedPaths(
        paths, "input dataset", "this step has none; give the dataset a name with as_named_input()"
    )


def output_datasets(outputs: Mapping[str, str]) -> NamedPaths:
    """The mapping for a step with these outputs."""
    return NamedPaths(outputs, "output dataset", "this step has none")


def no_datasets(what: str, why: str) -> NamedPaths:
    """An empty mapping for a run that is not a launched step."""
    return NamedPaths({}, what, why)
