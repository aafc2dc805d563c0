"""Report: what clearing up has deleted, or would delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlsteps.cleaning.runs import Run


@dataclass(frozen=True)
class Amount:
    """How much it is.

    :param number: Of runs, outputs and so on.
    :param files: Of how many files these consist.
    """

    number: int = 0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.number + other.number, self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True)
class Report:
    """What was deleted, or of a dry run what would be.

    :param deleted: By kind, all kinds.
    :param active: Runs because of which results stay that could be reused.
    :param warnings: What was left alone because it could not be read or deleted.
    """

    dry_run: bool
    deleted: Mapping[str, Amount]
    active: tuple[Run, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> Amount:
        """All kinds together."""
        return sum(self.deleted.values(), Amount())
