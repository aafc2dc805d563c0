"""Measures what mlsteps costs beside plain Airflow: ``make bench``, or ``python tests/bench/bench.py``.

Every budget is a comparison, made in this run and on this machine: both sides take turns, and their medians
are compared. The exit status is 1 when a budget is not kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[0] = str(Path(__file__).resolve().parents[1])  # as for the tests: this folder is the package "bench"

from bench import budgets  # noqa: E402
from bench.containers import containers  # noqa: E402
from bench.edits import edits  # noqa: E402
from bench.environments import environments  # noqa: E402
from bench.hashing import hashing  # noqa: E402
from bench.launcher_data import launcher_data  # noqa: E402
from bench.listings import listings  # noqa: E402
from bench.pods import pods  # noqa: E402
from bench.reruns import planning, reruns  # noqa: E402
from bench.scheduled import step_overhead  # noqa: E402
from bench.transfers import transfers  # noqa: E402


def main() -> int:
    """Measure, print, and tell by the exit status whether all budgets are kept."""
    options = _options()
    console = Console(highlight=False)
    facts = _machine()
    console.print("  ".join(f"{name} {value}" for name, value in facts.items()))
    quick = options.quick
    lines: list[budgets.Line] = []
    with tempfile.TemporaryDirectory(prefix="mlsteps-bench-") as name, console.status("") as status:
        folder = Path(name)

        def tell(text: str) -> None:
            status.update(text)

        parts: dict[str, Callable[[], list[budgets.Line]]] = {
            "run": lambda: step_overhead(folder, 2 if quick else 6, tell),
            "import": lambda: budgets.imports(folder, 3 if quick else 11, tell),
            "parse": lambda: budgets.parsing(folder, 3 if quick else 9, tell),
            "growth": lambda: budgets.growth(folder, 1 if quick else 5, tell),
            "hashing": lambda: hashing(folder, 2 if quick else 5, tell),
            "plan": lambda: planning(folder, 3 if quick else 7, tell),
            "edits": lambda: edits(folder, tell),
            "reruns": lambda: reruns(folder, 2 if quick else 5, tell, plain=(10,) if quick else (10, 100)),
            "launcher": lambda: launcher_data(folder, 2 if quick else 5, tell),
            "transfers": lambda: transfers(folder, 3 if quick else 7, tell),
            "listings": lambda: listings(folder, tell),
            "environments": lambda: environments(folder, 2 if quick else 7, tell),
            "containers": lambda: containers(folder, 3 if quick else 15, tell),
            "pods": lambda: pods(folder, 3 if quick else 15, tell),
        }
        for part in options.only or parts:
            lines += parts[part]()
    console.print(_table(lines))
    if options.json:
        report = {"machine": facts, "lines": [{**asdict(line), "passed": line.passed} for line in lines]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    failed = [line for line in lines if not line.passed]
    console.print(f"[bold red]{len(failed)} over budget[/]" if failed else "[bold green]all within budget[/]")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument(
        "--only",
        action="append",
        choices=[
            "run",
            "import",
            "parse",
            "growth",
            "hashing",
            "plan",
            "edits",
            "reruns",
            "launcher",
            "transfers",
            "listings",
            "environments",
            "containers",
            "pods",
        ],
        help="a part; may be repeated",
    )
    return parser.parse_args()


def _machine() -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Airflow": version("apache-airflow"),
        "mlsteps": version("airflow-provider-mlsteps"),
    }


def _table(lines: list[budgets.Line]) -> Table:
    table = Table(show_edge=False)
    table.add_column("What")
    table.add_column("Compared with (medians)")
    for heading in ("Value", "Budget"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for line in lines:
        verdict = "" if line.limit is None else "[green]PASS[/]" if line.passed else "[bold red]FAIL[/]"
        limit = "" if line.limit is None else f"{line.limit:g} {line.unit}"
        table.add_row(line.what, line.compared, f"{line.value:.3f} {line.unit}", limit, verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
