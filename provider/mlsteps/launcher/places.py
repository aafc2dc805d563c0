"""Addresses on a store, with the signatures that open them, and how hard to try there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from typing import Literal

    from mlsteps.launcher.strict_json import Fields

    Dialect = Literal["azure_blob", "plain"]

_DIALECTS: dict[str, Dialect] = {"azure_blob": "azure_blob", "plain": "plain"}
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


@dataclass(frozen=True)
class Place:
    """Where something may be written: a file, or the folder that files go to.

    Attributes:
        url: The address without a query, and without a slash at the end.
        query: What goes behind the ``?``: a signature, so a secret.
        dialect: What is spoken there: ``azure_blob``, or ``plain`` for one PUT of each file, as presigned
            addresses of S3 take it.
    """

    url: str
    query: str = field(default="", repr=False)
    dialect: Dialect = "azure_blob"

    def __post_init__(self) -> None:
        check_url("A place", self.url)
        if "?" in self.url or "#" in self.url:
            raise UserErrorException("A place: the url may hold no query; that goes into 'query'")
        if self.dialect not in _DIALECTS:
            raise UserErrorException(f"A place: the dialect {self.dialect!r} is none of {sorted(_DIALECTS)}")

    def below(self, path: str) -> Place:
        """The place of a file in this folder; of the folder itself if ``path`` is empty."""
        return replace(self, url=joined(self.url, path))

    @property
    def address(self) -> str:
        """URL and query: a secret."""
        return f"{self.url}?{self.query}" if self.query else self.url

    @classmethod
    def of(cls, fields: Fields) -> Place:
        """Read it from a job."""
        dialect = fields.text("dialect")
        place = cls(fields.text("url"), fields.text("query"), _DIALECTS.get(dialect, dialect))  # type: ignore[arg-type]
        fields.finish()
        return place


@dataclass(frozen=True)
class ReportSpec:
    """Where a job tells how it goes while it runs, and at the end.

    Below ``place`` are written ``stdout.log``, ``stderr.log``, ``run/journal.jsonl``, ``run/uploads/...``,
    ``files/...`` (the folders that are kept) and, last of all, ``result.json``.

    Attributes:
        place: A folder.
        run_directory: Where the script keeps its journal (``mlsteps.run``); made with its folder for uploads.
            None if the script keeps none.
        seconds: How often what has changed is sent while the script runs.
        patience_seconds: How long the last words may take when the job was told to stop.
    """

    place: Place
    run_directory: str | None = None
    seconds: float = 3.0
    patience_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.patience_seconds < 0:
            raise UserErrorException("report: seconds must be positive, and patience_seconds not negative")

    def fields(self) -> dict[str, Any]:
        """What stands in a job."""
        return {**vars(self), "place": vars(self.place)}

    @classmethod
    def of(cls, fields: Fields) -> ReportSpec:
        """Read it from a job."""
        report = cls(
            Place.of(fields.nested("place")),
            fields.optional_text("run_directory"),
            fields.number("seconds"),
            fields.number("patience_seconds"),
        )
        fields.finish()
        return report


@dataclass(frozen=True)
class WebLimits:
    """How a launcher deals with stores.

    Attributes:
        threads: Requests at the same time.
        attempts: How often a request is made that fails for a reason which may pass.
        pause_seconds: The first pause between attempts, which then doubles.
        timeout_seconds: How long a server may say nothing.
    """

    threads: int = 8
    attempts: int = 8
    pause_seconds: float = 0.5
    timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.threads < 1 or self.attempts < 1 or self.pause_seconds < 0 or self.timeout_seconds <= 0:
            raise UserErrorException("web: threads and attempts must be 1 or more, and times positive")

    @classmethod
    def of(cls, fields: Fields) -> WebLimits:
        """Read it from a job."""
        limits = cls(
            fields.integer("threads"),
            fields.integer("attempts"),
            fields.number("pause_seconds"),
            fields.number("timeout_seconds"),
        )
        fields.finish()
        return limits


def check_url(where: str, url: str) -> None:
    """Raise ``UserErrorException`` unless ``url`` is one of HTTP; the text does not repeat it."""
    if not url.startswith(("http://", "https://")):
        raise UserErrorException(f"{where}: the url must begin with https:// or http://")
    if any(character <= " " or character > "~" for character in url):
        raise UserErrorException(f"{where}: the url must be percent-encoded")


def joined(url: str, path: str) -> str:
    """The URL of ``path``, as manifests spell it, below ``url``."""
    return f"{url.rstrip('/')}/{quoted(path)}" if path else url


def quoted(path: str) -> str:
    """``path`` percent-encoded; by hand, as urllib is slow to import."""
    if _PLAIN.issuperset(path):
        return path
    encoded = path.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in encoded)
