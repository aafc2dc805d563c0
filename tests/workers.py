"""One worker more than there are processors, for the tests that wait most of the time.

With as many workers as processors, one of them runs what waits for a standalone Airflow or for containers,
and a processor is idle meanwhile. One more worker for just that costs the others little. One more that is
as busy as they are would be too much: tests have time limits, which do not hold where more processes are
busy than there are processors.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadGroupScheduling

from ordering import WAITING

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

_ONE_MORE = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """``-n auto`` is one more."""
    count = yield
    config.stash[_ONE_MORE] = True
    return count + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling | None:
    """With it, groups are handed out as :class:`OneWaits` does."""
    if config.getoption("dist") != "loadgroup" or not config.stash.get(_ONE_MORE, False):
        return None
    return OneWaits(config, log)


class OneWaits(LoadGroupScheduling):
    """The last worker gets the groups that wait, and nothing else; the others get them at the very end."""

    _waiter: WorkerController | None = None

    def schedule(self) -> None:
        """Hand out the first groups."""
        if self.collection is None:
            self._waiter = self.nodes[-1]
        super().schedule()

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = self._next_for(node)
        if scope is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if not node.shutting_down and self._next_for(node) is None:
            node.shutdown()
            return
        super()._reschedule(node)

    def _next_for(self, node: WorkerController) -> str | None:
        waiting = next((scope for scope in self.workqueue if scope in WAITING), None)
        if node is self._waiter:
            return waiting
        return next((scope for scope in self.workqueue if scope not in WAITING), waiting)
