"""Pipelines as JSON: what is written when one is published, and read to make the same steps again.

Only values are written, never code: reading a definition imports and runs nothing that it names.
"""

from mlsteps.definitions.document import FORMAT_VERSION, Definition, parse
from mlsteps.definitions.freezing import Freezer
from mlsteps.definitions.reader import readable
from mlsteps.definitions.steps import STEP_TYPES

__all__ = ["FORMAT_VERSION", "STEP_TYPES", "Definition", "Freezer", "parse", "readable"]
