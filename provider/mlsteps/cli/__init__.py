"""The command line: ``mlsteps run``, ``runs``, ``show``, ``demo``."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``mlsteps`` command."""
    from mlsteps.cli.app import app

    app()
