"""What is printed of a run while an Airflow runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps import Pipeline, StepRun
from mlsteps.runs.following import Follower
from steps.project import Project


class LogDouble:
    """A double of a running Airflow that is asked for one task's log: at each look it has other lines."""

    def __init__(self, *looks: str) -> None:
        self._looks = [look.split() for look in looks]

    def log(self, *task: object) -> list[str]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


def test_each_line_is_printed_once_wherever_it_comes(
    project: Project, airflow_db: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Pipeline(project.workspace, [project.step("only", "print('last')")]).submit("followed")
    status = "Running"
    monkeypatch.setattr(StepRun, "get_status", lambda step: status)
    # The head of the log gets shorter, one line comes in between, and one comes twice.
    follower = Follower(
        run, LogDouble("from-a from-b begin end", "from-a begin twice between twice end last")
    )
    capsys.readouterr()
    follower.tell()
    status = "Finished"
    follower.tell()
    assert capsys.readouterr().out.splitlines() == [
        *(f"only | {line}" for line in ("from-a", "from-b", "begin", "end")),
        "only: Running",
        *(f"only | {line}" for line in ("twice", "between", "twice", "last")),
        "only: Finished",
    ]
