"""Plans the pipeline of a DAG file once and prints the processor seconds that the plan took."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(file: Path) -> float:
    """Processor seconds of one plan in which everything is reused."""
    from mlsteps.dag_files import load_dags
    from mlsteps.steps.planning import Planner
    from mlsteps.steps.regenerate import Regenerate
    from mlsteps.steps.rendering import render_with

    (dag,) = load_dags(file)
    started = time.process_time()
    planned = Planner(dag, {}, Regenerate(), render_with({}, {}), passed=["reuse"]).plan()
    seconds = time.process_time() - started
    if any(step.entry is None for step in planned):
        raise SystemExit("not everything was reused")
    return seconds


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
