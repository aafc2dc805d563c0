"""Inputs that the launcher fetches by itself, as a job describes them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.places import check_url, joined

if TYPE_CHECKING:
    from typing import Literal

    from mlsteps.launcher.strict_json import Fields

_DIGEST_PREFIX = "sha256c:"  # of digest.py, whose import takes time


@dataclass(frozen=True)
class InputFile:
    """One file of an input.

    Attributes:
        path: Below the input's own path, with ``/`` between the parts; empty if the input is this file.
        size: Bytes.
        version: ETag that it must still have, or None.
        digest: ``sha256c:...``, which its content must have, or None.
        address: URL with its signature, or None: it lies below the input's own URL.
    """

    path: str
    size: int
    version: str | None = None
    digest: str | None = None
    address: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class InputSpec:
    """Something that must be there before the script starts.

    Attributes:
        name: As declared; used in messages.
        path: Absolute path of the file or folder to make.
        kind: Whether it is one file or a folder.
        files: What is in it.
        writable: Whether the script may change it; otherwise files and folders lose their writing bits.
        url: Common address of all files without one of their own. Of a file, its address.
        query: What goes behind the ``?``: a signature, so a secret.
    """

    name: str
    path: str
    kind: Literal["file", "directory"]
    files: tuple[InputFile, ...]
    writable: bool = False
    url: str | None = None
    query: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        where = f"Input {self.name!r}"
        if not self.name:
            raise UserErrorException("An input needs a name")
        if not os.path.isabs(self.path) or "\0" in self.path:
            raise UserErrorException(f"{where}: path={self.path!r} must be an absolute path")
        if self.kind not in ("file", "directory"):
            raise UserErrorException(f"{where}: kind={self.kind!r} is neither 'file' nor 'directory'")
        if self.kind == "file" and [file.path for file in self.files] != [""]:
            raise UserErrorException(f"{where}: of kind 'file', it has one file, with an empty path")
        if self.url is not None:
            check_url(where, self.url)
        for file in self.files:
            self._check(file)
        if len({file.path for file in self.files}) < len(self.files):
            raise UserErrorException(f"{where}: a path occurs twice")

    def _check(self, file: InputFile) -> None:
        where = f"Input {self.name!r}, file {file.path!r}"
        if self.kind == "directory":
            parts = file.path.split("/")
            if not _can_be_a_path(file.path) or any(part in ("", ".", "..") for part in parts):
                raise UserErrorException(f"{where}: this is not a plain relative path")
        if file.size < 0:
            raise UserErrorException(f"{where}: the size {file.size} is negative")
        if file.digest is not None and not file.digest.startswith(_DIGEST_PREFIX):
            raise UserErrorException(f"{where}: {file.digest!r} is not a digest of ours")
        if file.address is not None:
            check_url(where, file.address)
        elif self.url is None:
            raise UserErrorException(f"{where}: neither the file nor the input has an address")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def address(self, file: InputFile) -> str:
        """Where to get a file: a secret."""
        if file.address is not None:
            return file.address
        url = joined(self.url or "", file.path)
        return f"{url}?{self.query}" if self.query else url

    def place(self, file: InputFile) -> str:
        """Where to put a file."""
        # A manifest's path is UTF-8 whatever the locale, see manifest.py.
        return os.path.join(self.path, _local(file.path)) if file.path else self.path

    def fields(self) -> dict[str, Any]:
        """What stands in a job."""
        return {**vars(self), "files": [vars(file) for file in self.files]}

    @classmethod
    def of(cls, fields: Fields) -> InputSpec:
        """Read it from a job."""
        files = []
        for item in fields.objects("files"):
            files.append(
                InputFile(
                    item.text("path"),
                    item.integer("size"),
                    item.optional_text("version"),
                    item.optional_text("digest"),
                    item.optional_text("address"),
                )
            )
            item.finish()
        spec = cls(
            name=fields.text("name"),
            path=fields.text("path"),
            kind=fields.text("kind"),  # type: ignore[arg-type]  # looked at when it is made
            files=tuple(files),
            writable=fields.flag("writable"),
            url=fields.optional_text("url"),
            query=fields.text("query"),
        )
        fields.finish()
        return spec


def _can_be_a_path(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _local(path: str) -> str:
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))
