"""PromoteHeadersBehavior: where delimited files have the names of their columns."""

from __future__ import annotations

from enum import Enum

from mlsteps.exceptions import UserErrorException


class PromoteHeadersBehavior(Enum):
    """Which first lines are headers. (SDK v1: ``azureml.data.dataset_type_definitions``.)"""

    NO_HEADERS = 0  # columns are called Column1, Column2, ...
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2  # each file its own; the dataset has the columns of all
    ALL_FILES_HAVE_SAME_HEADERS = 3


def header_name(header: bool | PromoteHeadersBehavior) -> str:
    """The behaviour's name; True and False are the two usual ones."""
    if isinstance(header, bool):
        every, none = PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS, PromoteHeadersBehavior.NO_HEADERS
        return (every if header else none).name
    if isinstance(header, PromoteHeadersBehavior):
        return header.name
    raise UserErrorException(
        f"from_delimited_files: header must be True, False or a PromoteHeadersBehavior, got {header!r}."
    )
