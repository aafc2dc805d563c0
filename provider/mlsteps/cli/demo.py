"""``mlsteps demo``: a real training pipeline, run here, with no service, account or configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from mlsteps.cli.examples import examples_folder
from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from collections.abc import Mapping

DEMO_FILE = "compare_models.py"


def run_demo(home: Path) -> int:
    """Run the demo pipeline in ``home``; returns the exit status."""
    from mlsteps.cli.run import run_file

    require_demo_packages()
    workspace = home / "workspace"
    os.environ["MLSTEPS_WORKSPACE"] = str(workspace)
    os.environ["AIRFLOW_HOME"] = str(home / "airflow")
    console = Console(highlight=False, soft_wrap=True)
    file = examples_folder() / DEMO_FILE
    console.print(f"Running {escape(str(file))} on Airflow, in this process. The first time takes a few seconds more.")
    report = run_file(file, [], None)
    run = report.runs[0]
    if not report.succeeded:
        return 1
    tell_results(console, run, home, workspace)
    console.print("\nNext, try another seed, or see it on a real Airflow:")
    console.print(f"  [bold]{_command('run')} {_short(file)} --workspace {_short(workspace)} --param seed=7[/bold]")
    console.print("  [bold]make demo-ui[/bold]")
    return 0


def tell_results(console: Console, run: Mapping[str, Any], home: Path, workspace: Path) -> None:
    """Say what came of the run: which model is better, a picture of the comparison, and where everything lies."""
    picture = draw_comparison(run, home / "comparison.png")
    best = next((s["metrics"]["best_model"] for s in run["steps"] if "best_model" in s["metrics"]), None)
    if best is not None:
        console.print(f"\nThe better model is [bold green]{escape(str(best))}[/bold green].")
    console.print(f"Picture of the comparison: [bold]{escape(_short(picture))}[/bold]")
    for step in run["steps"]:
        for name, path in step["outputs"].items():
            console.print(f"  {escape(name)} [dim]of {escape(step['name'].strip())}:[/dim] {escape(_short(Path(path)))}")
    console.print(f"Records of every run: {escape(_short(workspace))}")
    console.print(f"  [bold]{_command('show')} last --workspace {escape(_short(workspace))}[/bold]")


def draw_comparison(run: Mapping[str, Any], target: Path) -> Path:
    """Bars for every metric that more than one step logged, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    by_metric: dict[str, dict[str, float]] = {}
    for step in run["steps"]:
        for name, value in step["metrics"].items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                by_metric.setdefault(name, {})[step["name"].strip()] = float(value)
    shared = {name: values for name, values in by_metric.items() if len(values) > 1} or by_metric
    figure, axes = pyplot.subplots(1, max(len(shared), 1), figsize=(4 * max(len(shared), 1), 3.6), squeeze=False)
    for axis, (name, values) in zip(axes[0], shared.items(), strict=False):
        bars = axis.bar(list(values), list(values.values()), color=["#2563eb", "#16a34a", "#9333ea", "#ea580c"])
        axis.bar_label(bars, fmt="%.4g")
        axis.set_title(name)
        axis.margins(y=0.15)
        axis.tick_params(axis="x", labelrotation=15)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
    return target


def require_demo_packages() -> None:
    """Say at once what the demo's scripts need.

    :raises MlstepsException: it is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("sklearn", "matplotlib", "pandas", "joblib") if find_spec(name) is None]
    if missing:
        raise MlstepsException(
            f"The demo needs {', '.join(missing)}: pip install 'airflow-provider-mlsteps[demo]'"
        )


def _command(verb: str) -> str:
    """How to call the command line from here: make's environment is not on the PATH."""
    import shutil
    import sys

    beside = Path(sys.executable).parent / "mlsteps"
    found = shutil.which("mlsteps", path=os.environ.get("MLSTEPS_USER_PATH", ""))
    name = "mlsteps" if found else _short(beside)
    return f"{name} {verb}"


def _short(path: Path) -> str:
    """Relative to the working directory where it lies below it."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(path)
