"""Tables of steps and runs, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

STATE_STYLES = {
    "ran": "green",
    "success": "green",
    "reused": "cyan",
    "failed": "bold red",
    "canceled": "yellow",
    "skipped": "yellow",
    "not_started": "dim",
    "running": "blue",
}


def steps_table(report: Mapping[str, Any]) -> Table:
    """The steps of a run: state, seconds, outputs and metrics."""
    table = Table(title=None, show_edge=False, pad_edge=False, header_style="bold")
    for column in ("step", "state", "seconds", "outputs", "metrics"):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for step in report["steps"]:
        style = STATE_STYLES.get(step["state"], "")
        table.add_row(
            escape(step["name"].strip()),
            f"[{style}]{step['state']}[/{style}]" if style else step["state"],
            f"{step['seconds']:.1f}" if step["seconds"] is not None else "",
            escape(", ".join(step["outputs"])),
            escape(one_line_metrics(step["metrics"])),
        )
    return table


def one_line_metrics(metrics: Mapping[str, Any]) -> str:
    """Numbers and short texts among the metrics; of a list its last value."""
    parts = []
    for name, value in metrics.items():
        shown = value[-1] if isinstance(value, list) and value else value
        if isinstance(shown, float):
            parts.append(f"{name}={shown:.4g}")
        elif isinstance(shown, (int, str)) and len(str(shown)) <= 24:
            parts.append(f"{name}={shown}")
    return " ".join(parts)
