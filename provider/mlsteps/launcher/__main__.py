"""``python -I -S launcher.zip JOB.json``: runs one job and exits with its code."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the job named on the command line; ends the process and never returns."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python launcher.zip JOB.json\n")
        sys.stderr.flush()
        os._exit(2)
    from mlsteps.launcher.guard import run_guarded

    # Not sys.exit, which runs what others registered and waits for threads that were given up.
    os._exit(run_guarded(_run, _lost))


def _run(guard: int) -> int:
    # The launcher proper is imported after the fork, to keep the guard small.
    # The working directory may be anything: nothing relative is left from here on.
    from mlsteps.launcher.runner import run_file

    return run_file(os.path.abspath(sys.argv[1]), guard)


def _lost(number: int) -> int:
    from mlsteps.launcher.runner import record_lost

    return record_lost(os.path.abspath(sys.argv[1]), number)


if __name__ == "__main__":
    main()
