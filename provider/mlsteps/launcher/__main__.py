"""``python -I -S launcher.zip JOB.json``: runs one job and exits with its code.

``-`` in place of the file reads the job from standard input, and nothing takes it from the environment
variable ``MLSTEPS_JOB``; see `mlsteps.launcher.job_source`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    """Run the job named on the command line; ends the process and never returns."""
    from mlsteps.exceptions import MlstepsException
    from mlsteps.launcher import linux
    from mlsteps.launcher.guard import run_guarded
    from mlsteps.launcher.job_source import STDIN, VARIABLE, read_source

    # The working directory may be anything: nothing relative is left from here on.
    name = sys.argv[1] if len(sys.argv) > 1 else None
    path = os.path.abspath(name) if name not in (None, STDIN) else None
    linux.hide()
    try:
        text = read_source(path or name) if len(sys.argv) <= 2 else None
    except MlstepsException as error:
        _fail(70, f"mlsteps: {error}")
    if text is None:
        _fail(2, f"usage: python launcher.zip JOB.json, or - for standard input, or {VARIABLE}=... without")

    # The launcher proper is imported after the fork, to keep the guard small.
    def run(guard: int) -> int:
        from mlsteps.launcher.runner import run_text

        return run_text(text, path, guard)

    def lost(number: int) -> int:
        from mlsteps.launcher.runner import record_lost

        return record_lost(text, number)

    # Not sys.exit, which runs what others registered and waits for threads that were given up.
    os._exit(run_guarded(run, lost))


def _fail(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
