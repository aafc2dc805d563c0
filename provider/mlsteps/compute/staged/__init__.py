"""Jobs that run where the worker's folders are not: what is signed, staged and published for them."""

from mlsteps.compute.staged.area import StagingArea
from mlsteps.compute.staged.job import StagedJob
from mlsteps.compute.staged.layout import SharedFolder

__all__ = ["SharedFolder", "StagedJob", "StagingArea"]
