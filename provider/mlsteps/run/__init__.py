"""What a step's script imports: ``from mlsteps.run import Run; run = Run.get_context()``.

SDK v1: ``azureml.core.run``. Standard library only, Python 3.9 and newer. The launching side uses
``protocol``, ``context``, ``journal``, ``metrics``, ``labels`` and ``lifecycle`` of this package.
"""

from __future__ import annotations

from mlsteps.run.model import Model
from mlsteps.run.offline import _OfflineRun
from mlsteps.run.run import Run, get_run

__all__ = ["Model", "Run", "_OfflineRun", "get_run"]
