"""``mlsteps gc``: clearing up a workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlsteps.cleaning import Report, Rules, Stores, clean
from mlsteps.cleaning.scan import Tell
from mlsteps.exceptions import UserErrorException
from mlsteps.run import values
from mlsteps.workspace import Workspace

_DURATION = re.compile(r"(\d{1,6})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_MOST_RUNS = 5
_WORDS = {"entries": "reuse entries"}


def gc_command(older_than: str, keep_last: int, *, dry_run: bool, as_json: bool) -> None:
    """Delete what nobody can reach any more, or say what that is."""
    rules = Rules(parse_duration(older_than), keep_last, datetime.now(timezone.utc))
    stores = Stores.of(Workspace())
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    with _progress(errors) as tell:
        report = clean(stores, rules, dry_run=dry_run, tell=tell)
    for warning in report.warnings:
        errors.print(f"[yellow]Left alone:[/yellow] {escape(warning)}")
    if as_json:
        print(values.dumps(to_plain(report)))
    else:
        _tell(report, stores.records.url(""))


def parse_duration(text: str) -> timedelta:
    """The duration that ``30d``, ``12h`` or ``90m`` means.

    :raises UserErrorException: it means none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UserErrorException(f"{text!r} is no duration: write it like 30d, 12h or 90m.")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


def to_plain(report: Report) -> dict[str, Any]:
    """The report as plain JSON."""
    return {
        "dry_run": report.dry_run,
        "deleted": {
            kind: {"number": amount.number, "files": amount.files, "bytes": amount.bytes}
            for kind, amount in report.deleted.items()
        },
        "active": [{"dag_id": run.dag_id, "run_id": run.run_id} for run in report.active],
        "warnings": list(report.warnings),
    }


def _tell(report: Report, place: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("kind")
    for column in ("number", "files", "size"):
        table.add_column(column, justify="right")
    for kind, amount in report.deleted.items():
        style = None if amount.number else "dim"
        table.add_row(
            _WORDS.get(kind, kind), str(amount.number), str(amount.files), decimal(amount.bytes), style=style
        )
    console.print(table)
    if report.active:
        shown = ", ".join(f"{run.dag_id} / {run.run_id}" for run in report.active[:_MOST_RUNS])
        more = ", ..." if len(report.active) > _MOST_RUNS else ""
        count = "A run is" if len(report.active) == 1 else f"{len(report.active)} runs are"
        console.print(
            f"{count} active ({escape(shown)}{more}): results that could be reused are left alone.",
            style="yellow",
        )
    total = report.total
    if report.dry_run:
        done = f"Would free {decimal(total.bytes)} in {total.files} files; nothing was deleted."
    else:
        done = f"Freed {decimal(total.bytes)} in {total.files} files."
    console.print(f"{done}  [dim]{escape(place)}[/dim]")


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A bar for whatever is being done, on a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("listing", total=None)

        def tell(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield tell
