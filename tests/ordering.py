"""Which worker runs a test, and when.

With ``--dist loadgroup --no-loadscope-reorder``, pytest-xdist hands out groups in the order of the tests;
without the second, it would begin with those of most tests. Which worker gets which stands in ``workers.py``.
"""

from __future__ import annotations

import pytest

from servers.docker_engine import needs_docker

# Groups whose tests wait for other processes most of the time; a worker of their own runs them.
WAITING = ("e2e", "docker")


def arrange(items: list[pytest.Item]) -> None:
    """Keep the tests of one file on one worker, and all that start servers on the same one; in this order:

    1. What needs a standalone Airflow: it waits most of the time, and takes longest.
    2. Files with tests that are slow, so that no worker is left alone with one at the end.
    3. What needs Docker. By now there is an engine; the first time on a machine, that takes a while.
    4. Everything else: what is short fills the gaps at the end.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    items[:] = [
        item for name in sorted(groups, key=lambda name: _turn(groups[name])) for item in groups[name]
    ]


def group_of(item: pytest.Item) -> str:
    """The group that a test is in; it is marked so, unless it was."""
    mark = item.get_closest_marker("xdist_group")
    if mark is None:
        name = "e2e" if item.get_closest_marker("e2e") else item.nodeid.partition("::")[0]
        mark = pytest.mark.xdist_group(name).mark
        item.add_marker(pytest.mark.xdist_group(name))
    return str(mark.args[0])


def _turn(group: list[pytest.Item]) -> int:
    if any(needs_docker(item) for item in group):
        return 3
    if any(item.get_closest_marker("e2e") for item in group):
        return 1
    return 2 if any(item.get_closest_marker("slow") for item in group) else 4
