from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlsteps.exceptions import RunEnvironmentException
from mlsteps.run.context import RunContext, WorkspaceReference


def test_round_trip(context: RunContext) -> None:
    assert RunContext.from_json(context.to_json()) == context


def test_the_smallest_context() -> None:
    small = RunContext("r", "n", "e", WorkspaceReference("w"), "/work")
    again = RunContext.from_json(small.to_json())
    assert again == small
    assert again.parent is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2, and this mlsteps reads version 1"),
        ({"version": True}, "'version'"),
        ({"run_id": 3}, "'run_id'"),
        ({"run_id": ...}, "lacks 'run_id'"),
        ({"surprise": 1}, "unknown \\['surprise'\\]"),
        ({"inputs": {"a": {"mode": "teleport", "path": "/", "dataset": None}}}, "inputs.a.*teleport"),
        ({"inputs": {"a": "path"}}, "inputs.a .*not an object"),
        ({"outputs": {"a": 1}}, "outputs.a"),
        ({"models": {"m": "1"}}, "models.m"),
        ({"workspace": {"name": "w"}}, "workspace .*lacks 'locator'"),
        ({"workspace": {"name": "w", "locator": None, "key": "k"}}, "workspace .*unknown"),
        ({"parent": {"run_id": "p"}}, "parent .*lacks"),
        ({"parent": "p"}, "'parent'"),
    ],
)
def test_what_is_wrong_is_named(context: RunContext, change: dict[str, Any], message: str) -> None:
    content = {**json.loads(context.to_json()), **change}
    text = json.dumps({key: value for key, value in content.items() if value is not ...})
    with pytest.raises(RunEnvironmentException, match=message):
        RunContext.from_json(text)


def test_not_json() -> None:
    with pytest.raises(RunEnvironmentException, match="not JSON"):
        RunContext.from_json("{")
    with pytest.raises(RunEnvironmentException, match="not an object"):
        RunContext.from_json("[]")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RunEnvironmentException, match="cannot be read"):
        RunContext.load(tmp_path / "context.json")
