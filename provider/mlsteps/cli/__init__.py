"""The command line: ``mlsteps run``, ``runs``, ``show``, ``demo``."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``mlsteps`` command."""
    import gc

    # What Airflow imports is there to stay; with Python's defaults, a sixth of a run goes into searching it.
    gc.set_threshold(100_000, 20, 100)
    from mlsteps.cli.app import app

    app()
