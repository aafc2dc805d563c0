"""Which names a destination can hold, checked for a whole listing before anything is written."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_file import AzureFileStore
from mlsteps.data.stores.azure_file_names import check_name
from mlsteps.data.stores.base import Store
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import atomic

# Characters of a blob's name, and bytes of an object's name on S3 and Google Cloud Storage.
_LONGEST_NAME = 1024
_LONGEST_PART = 255
_LONGEST_LOCAL_PATH = 4095


@dataclass(frozen=True)
class NameRules:
    """What a destination says of names.

    :param problem: What is wrong with a path on the store, as the end of a sentence; empty if nothing is.
    :param folders: Whether folders are things of their own, so that there cannot be ``a`` beside ``a/b``.
    :param ignores_case: Whether names that differ only by case are one.
    """

    problem: Callable[[str], str]
    folders: bool
    ignores_case: bool


def rules_of(store: Store, path: str) -> NameRules:
    """The rules at a place of a store."""
    local = store.local_path(path)
    if local is not None:
        return NameRules(lambda name: _local_problem(store, name), True, _ignores_case(local))
    if isinstance(store, AzureFileStore):
        return NameRules(_share_problem, True, True)
    if isinstance(store, AzureBlobStore):
        prefix = f"{store.prefix}/" if store.prefix else ""
        return NameRules(lambda name: _blob_problem(prefix + name), False, False)
    return NameRules(_object_problem, False, False)


class NameCheck:
    """Takes the paths of a listing one after the other and refuses the first that cannot stand.

    It keeps nothing of them but, where case is ignored, two numbers for each.

    :param target: Where they will be on the target's store, joined with each path.
    """

    def __init__(self, rules: NameRules, source: Callable[[str], str], target: Callable[[str], str]) -> None:
        self._rules = rules
        self._source = source
        self._target = target
        self._open: list[str] = []  # the files so far whose names begin the path that came last
        self._spelled: dict[int, int] = {}

    def add(self, path: str) -> None:
        """Check the next path; they come sorted.

        :raises UserErrorException: it cannot stand there, or not beside an earlier one.
        """
        problem = self._rules.problem(self._target(path))
        if problem:
            raise UserErrorException(
                f"{self._source(path)!r} cannot be copied: at the destination its name {problem}. Rename it."
            )
        if self._rules.folders:
            while self._open and not path.startswith(self._open[-1]):
                self._open.pop()
            for file in self._open:
                if path.startswith(f"{file}/"):
                    raise UserErrorException(
                        f"{self._source(file)!r} and {self._source(path)!r} cannot both be copied: at the "
                        f"destination a name is a file or a folder, not both. Rename one of them."
                    )
            self._open.append(path)
        if self._rules.ignores_case:
            self._refuse_two_spellings(path)

    def holds(self, path: str) -> bool:
        """Whether one of them has this name but for its case."""
        return hash(fold(path)) in self._spelled

    def _refuse_two_spellings(self, path: str) -> None:
        end = path.find("/")
        while True:
            part = path if end < 0 else path[:end]
            kind = "file" if end < 0 else "folder"
            if self._spelled.setdefault(hash(fold(part)), hash((kind, part))) != hash((kind, part)):
                raise UserErrorException(
                    f"{self._source(part)!r} cannot be copied: the destination takes its name for that of "
                    f"another one of the source, as it ignores case. Rename one of them."
                )
            if end < 0:
                return
            end = path.find("/", end + 1)


def fold(path: str) -> str:
    """A path as a store sees it that ignores case and how accents are put together."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _local_problem(store: Store, path: str) -> str:
    for part in path.split("/"):
        if len(os.fsencode(part)) > _LONGEST_PART:
            return f"would have a part of more than {_LONGEST_PART} bytes"
    name = path.rpartition("/")[2]
    if atomic.TEMPORARY.fullmatch(name):
        return "would be one of those that are kept for unfinished files"
    if len(os.fsencode(str(store.local_path(path)))) > _LONGEST_LOCAL_PATH:
        return f"would have more than {_LONGEST_LOCAL_PATH} bytes"
    return ""


def _blob_problem(path: str) -> str:
    if "\\" in path:
        return "would hold a backslash, which Azure takes for a slash"
    if len(path) > _LONGEST_NAME:
        return f"would have more than {_LONGEST_NAME} characters"
    return _text_problem(path)


def _object_problem(path: str) -> str:
    problem = _text_problem(path)
    if not problem and len(path.encode()) > _LONGEST_NAME:
        problem = f"would have more than {_LONGEST_NAME} bytes"
    return problem


def _share_problem(path: str) -> str:
    try:
        check_name(path)
    except UserErrorException as error:
        return f"is refused ({error.message.rstrip('.')})"
    return _text_problem(path)


def _text_problem(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return "would hold bytes that are no UTF-8"
    return ""


def _ignores_case(place: Path) -> bool:
    """Whether the file system there does, told by whether a folder is found by another spelling."""
    folder = place
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    while folder != folder.parent:
        other = folder.name.swapcase()
        if other != folder.name:
            try:
                return os.path.samefile(folder, folder.with_name(other))
            except OSError:
                return False
        folder = folder.parent
    return False
