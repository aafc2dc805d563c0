"""Clearing up: which runs, outputs, snapshots and results nobody can reach any more, and deleting them.

Safe beside running pipelines, without a lock. Every run writes its record, and every step that it is running,
before it looks up a result, takes a snapshot or writes an output. So outputs and snapshots are listed first
and the records read afterwards; what stands in none of them belongs to nobody. Results that nobody has asked
for are taken away before the records are read a second time: a run that is not there then cannot have found
them, and for one that is they are put back. Only then is deleted what they refer to.
"""

from mlsteps.cleaning.carry_out import clean
from mlsteps.cleaning.plan import Rules
from mlsteps.cleaning.report import Amount, Report
from mlsteps.cleaning.stores import Stores

__all__ = ["Amount", "Report", "Rules", "Stores", "clean"]
