"""Outputs that the launcher lists, hashes and perhaps sends, as a job describes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.launcher.places import Place
    from mlsteps.launcher.strict_json import Fields


@dataclass(frozen=True)
class OutputSpec:
    """Something that the script must have written when it ends.

    Attributes:
        name: As declared; used in messages.
        path: Where the script writes it (file or directory); may be relative to the working directory.
        create_directory: True: the launcher makes a directory there before the script starts (as for SDK v1's
            ``OutputFileDatasetConfig``). False: only its parent is made, and nothing may be there yet
            (``PipelineData``: the script makes it, often with a plain ``os.makedirs``).
        manifest_path: Absolute path of the manifest that is written once all outputs are complete.
        upload: Where its files are sent, or None if they stay where they are. Of a file, its address.
        manifest_upload: Where the manifest is sent after all files of all outputs, or None.
        patterns: Of a directory that is sent, only files that match one of these; None is all.
    """

    name: str
    path: str
    create_directory: bool
    manifest_path: str
    upload: Place | None = None
    manifest_upload: Place | None = None
    patterns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        where = f"Output {self.name!r}"
        if not self.name:
            raise UserErrorException("An output needs a name")
        check_text(where, "path", self.path)
        check_absolute(where, "manifest_path", self.manifest_path)

    def fields(self) -> dict[str, Any]:
        """What stands in a job."""
        places = {"upload": self.upload, "manifest_upload": self.manifest_upload}
        return {**vars(self), **{name: place and vars(place) for name, place in places.items()}}

    @classmethod
    def of(cls, fields: Fields) -> OutputSpec:
        """Read it from a job."""
        output = cls(
            name=fields.text("name"),
            path=fields.text("path"),
            create_directory=fields.flag("create_directory"),
            manifest_path=fields.text("manifest_path"),
            upload=_place(fields.optional_nested("upload")),
            manifest_upload=_place(fields.optional_nested("manifest_upload")),
            patterns=fields.optional_texts("patterns"),
        )
        fields.finish()
        return output


def check_text(where: str, field: str, value: str) -> None:
    """Raise ``UserErrorException`` unless ``value`` can be a path; the text names ``where`` and ``field``."""
    if not value or "\0" in value:
        raise UserErrorException(f"{where}: {field}={value!r} is not a path")


def check_absolute(where: str, field: str, value: str) -> None:
    """Raise ``UserErrorException`` unless ``value`` is an absolute path."""
    check_text(where, field, value)
    if not os.path.isabs(value):
        raise UserErrorException(f"{where}: {field}={value!r} must be an absolute path")


def _place(fields: Fields | None) -> Place | None:
    if fields is None:
        return None
    from mlsteps.launcher.places import Place

    return Place.of(fields)
