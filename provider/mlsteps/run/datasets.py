"""``run.input_datasets`` and ``run.output_datasets``: names to paths, with errors that help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

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
    """The path of an input that the pipeline handed over in direct mode.

    SDK v1 gives a dataset object there. This is the path of its files; what a dataset would answer to is
    refused with a hint instead of a riddle.
    """

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            hint = ""
            if not name.startswith("_"):
                hint = f". It is the path {str(self)!r}: read it with a library of your own"
            raise AttributeError(f"An input dataset has no {name!r} inside a step{hint}")


def input_datasets(inputs: Mapping[str, InputPath]) -> NamedPaths:
    """The mapping for a step with these inputs."""
    paths = {
        name: DirectInput(given.path) if given.mode == "direct" else given.path
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
