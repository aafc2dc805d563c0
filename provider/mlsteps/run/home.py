"""RunHome: the folder of a run that this process writes to."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlsteps.run.files import UploadFolder
from mlsteps.run.journal import Journal
from mlsteps.run.protocol import JOURNAL_FILE


@dataclass(frozen=True)
class RunHome:
    """A run directory (``root``, absolute) that the launcher reads when the script has ended."""

    root: str

    def journal(self) -> Journal:
        """Where events go."""
        return Journal(os.path.join(self.root, JOURNAL_FILE))

    def uploads(self, owner: str, working_directory: str | None) -> UploadFolder:
        """Where the files of ``owner`` go; see ``UploadFolder``."""
        return UploadFolder(self.root, owner, working_directory)
