"""The tests are run in the order that makes the most of the workers."""

from __future__ import annotations

from itertools import groupby

import pytest

from ordering import group_of
from servers.docker_engine import needs_docker


def test_groups_stand_together_and_begin_with_what_takes_longest(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    groups = [name for name, _ in groupby(items, group_of)]
    assert len(groups) == len(set(groups))
    if "e2e" in groups:
        assert groups[0] == "e2e"
    if "docker" in groups:
        before = items[: next(number for number, item in enumerate(items) if needs_docker(item))]
        assert {group_of(item) for item in items if item.get_closest_marker("slow")} - {"docker"} <= {
            group_of(item) for item in before
        }
