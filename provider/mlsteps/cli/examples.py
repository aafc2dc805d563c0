"""Where the example pipelines lie: in the installed package, or in the checkout it was installed from."""

from __future__ import annotations

from pathlib import Path

import mlsteps
from mlsteps.exceptions import MlstepsException


def examples_folder() -> Path:
    """The folder of example DAG files.

    :raises MlstepsException: neither place has them.
    """
    package = Path(mlsteps.__file__).resolve().parent
    for folder in (package / "dags_examples", package.parents[1] / "dags_examples"):
        if folder.is_dir():
            return folder
    raise MlstepsException("The example pipelines are not part of this installation.")
