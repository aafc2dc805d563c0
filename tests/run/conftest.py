"""A launched step without a launcher: a run directory and a working directory, as the protocol says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlsteps.run import Run
from mlsteps.run import run as run_module
from mlsteps.run.context import InputPath, ParentContext, RunContext, WorkspaceReference
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import (
    CONTEXT_FILE,
    JOURNAL_FILE,
    PARENT,
    RUN_DIRECTORY_VARIABLE,
    UPLOADS_FOLDER,
    Event,
    EventKind,
    MetricKind,
)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No run is cached, none is announced, and the script works in an empty folder."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv(RUN_DIRECTORY_VARIABLE, raising=False)
    run_module._contexts.clear()
    yield
    run_module._contexts.clear()


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    earlier = {
        "event": EventKind.METRIC,
        "target": PARENT,
        "name": "rows",
        "kind": MetricKind.SCALAR,
        "value": 7,
    }
    return RunContext(
        run_id="pipe/2026:train",
        name="train",
        experiment="churn",
        workspace=WorkspaceReference("home", None),
        working_directory=str(tmp_path / "work"),
        attempt=2,
        parameters={"lr": 0.1},
        tags={"team": "blue"},
        properties={"git": "abc"},
        inputs={"raw": InputPath("mount", "/data/raw"), "table": InputPath("direct", "/data/table.csv")},
        outputs={"model": "/out/model"},
        parent=ParentContext("pipe/2026", {"kind": "nightly"}, {"owner": "ann"}, (earlier,)),
        models={"churn": 4},
    )


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: RunContext) -> Callable[..., Run]:
    """Start a step: ``launched(**changes to the context)`` gives its run."""

    def launch(**changes: Any) -> Run:
        folder = tmp_path / "run"
        (folder / UPLOADS_FOLDER).mkdir(parents=True)
        (folder / CONTEXT_FILE).write_text(replace(context, **changes).to_json())
        monkeypatch.setenv(RUN_DIRECTORY_VARIABLE, str(folder))
        return Run.get_context()

    return launch


@pytest.fixture
def run(launched: Callable[..., Run]) -> Run:
    return launched()


@pytest.fixture
def journal(tmp_path: Path) -> Callable[..., list[Event]]:
    """The events written so far: ``journal()``, or ``journal(kind)``."""

    def read(kind: str | None = None) -> list[Event]:
        events = read_events(tmp_path / "run" / JOURNAL_FILE)
        return [event for event in events if kind in (None, event["event"])]

    return read
