"""``mlsteps demo``: a real training pipeline, run here, with no service, account or configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from mlsteps.cli.demo_choices import Place
from mlsteps.cli.demo_workspace import DemoWorkspace, demo_workspace
from mlsteps.cli.examples import examples_folder
from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from collections.abc import Mapping

DEMO_FILE = "compare_models.py"


def run_demo(home: Path, place: Place | None = None) -> int:
    """Run the demo pipeline in ``home``; returns the exit status."""
    require_demo_packages()
    os.environ["AIRFLOW_HOME"] = str(home / "airflow")
    console = Console(highlight=False, soft_wrap=True)
    place = place or Place()
    with demo_workspace(home, place, console) as workspace:
        return _run_demo(home, place, workspace, console)


def _run_demo(home: Path, place: Place, workspace: DemoWorkspace, console: Console) -> int:
    from mlsteps.cli.run import run_file

    file = examples_folder() / DEMO_FILE
    console.print(
        f"Running {escape(str(file))} on Airflow, in this process. The first time takes a few seconds more."
    )
    report = run_file(file, [], None)
    run = report.runs[0]
    if not report.succeeded:
        return 1
    tell_results(console, run, home, workspace)
    if not workspace.stays:
        console.print("\nNext, run it again: what has not changed is reused from there.")
        console.print(f"  [bold]{escape(place.make_command)}[/bold]")
        return 0
    folder = _short(workspace.folder)
    reused = sum(step["state"] == "reused" for step in run["steps"])
    if reused == len(run["steps"]):
        console.print(
            "\nNothing had changed, so every step was reused. Edit a script, and see what it needs:"
        )
        console.print(f"  {_short(file.with_name('compare_models_src'))}/")
        console.print(f"  [bold]{_command('plan')} {_short(file)} -w {folder}[/bold]")
    else:
        console.print("\nNext, run it again: what has not changed is reused.")
        console.print(f"  [bold]{escape(place.make_command)}[/bold]")
    console.print("Or try another seed, or see it on a real Airflow:")
    console.print(f"  [bold]{_command('run')} {_short(file)} -w {folder} --param seed=11[/bold]")
    console.print("  [bold]make demo-ui[/bold]")
    return 0


def tell_results(console: Console, run: Mapping[str, Any], home: Path, workspace: DemoWorkspace) -> None:
    """Say what came of the run: the better model, a picture of the comparison, and where everything lies."""
    best = run["metrics"].get("best_model")
    if best is not None:
        console.print(f"\nThe better model is [bold green]{escape(str(best))}[/bold green].")
    candidates = next(
        (s["metrics"]["candidates"] for s in run["steps"] if "candidates" in s["metrics"]), None
    )
    if candidates is not None:
        picture = draw_comparison(candidates, home / "comparison.png")
        console.print(f"The comparison as a picture: [bold]{escape(_short(picture))}[/bold]")
    console.print("What the steps made:")
    for step in run["steps"]:
        for name, path in step["outputs"].items():
            place = path if "://" in path else _short(Path(path))
            console.print(f"  {escape(name):15} {escape(place)}", style="dim")
    if workspace.stays:
        folder = escape(_short(workspace.folder))
        console.print(f"Everything about the run: [bold]{_command('show')} last -w {folder}[/bold]")


def draw_comparison(candidates: Mapping[str, Any], target: Path) -> Path:
    """A dot for each candidate and metric, as a PNG.

    :param candidates: Columns by name: ``model``, and any number of metrics.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    models = candidates["model"]
    metrics = [name for name in candidates if name != "model"]
    figure, axes = pyplot.subplots(
        1, len(metrics), figsize=(4.4 * len(metrics), 2.6), squeeze=False, sharey=True
    )
    for axis, metric in zip(axes[0], metrics, strict=True):
        values = candidates[metric]
        best = max(values)
        for row, value in enumerate(values):
            axis.scatter(value, row, s=120, color="#16a34a" if value == best else "#94a3b8", zorder=3)
            axis.annotate(
                f"{value:.4f}", (value, row), xytext=(0, 12), textcoords="offset points", ha="center"
            )
        axis.set_title(f"{metric} on validation data")
        axis.set_yticks(range(len(models)), models)
        axis.set_ylim(len(models) - 0.4, -0.6)
        axis.margins(x=0.25)
        axis.grid(axis="x", alpha=0.4)
        axis.spines[["top", "right", "left"]].set_visible(False)
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
    """How to call the command line from here; a virtual environment of make's is on nobody's PATH."""
    return f"{_short(Path(sys.executable).parent / 'mlsteps')} {verb}"


def _short(path: Path) -> str:
    """Relative to the working directory where it lies below it."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(path)
