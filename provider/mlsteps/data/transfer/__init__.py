"""Copying files and folders from one store to another: each whole or not at all, none twice."""

from mlsteps.data.transfer.log_lines import LogLines
from mlsteps.data.transfer.progress import Progress
from mlsteps.data.transfer.result import CopiesPending, TransferResult, TransferStopped
from mlsteps.data.transfer.run import transfer

__all__ = ["CopiesPending", "LogLines", "Progress", "TransferResult", "TransferStopped", "transfer"]
