from __future__ import annotations

from mlsteps.run.lifecycle import DeclaredEnd, declared_end
from mlsteps.run.protocol import Event

DONE: Event = {"event": "status", "target": "self", "status": "Completed"}
FAILED: Event = {"event": "status", "target": "self", "status": "Failed", "details": "why", "code": "E1"}
CANCELED: Event = {"event": "cancel", "target": "self"}


def test_nothing_declared() -> None:
    assert declared_end([]) is None
    assert declared_end([{"event": "metric", "target": "self"}, {**DONE, "target": "parent"}]) is None


def test_the_weightiest_counts_in_any_order() -> None:
    failed = DeclaredEnd("Failed", "why", "E1")
    assert declared_end([DONE]) == DeclaredEnd("Completed")
    assert declared_end([DONE, CANCELED, DONE]) == DeclaredEnd("Canceled")
    assert declared_end([FAILED, DONE, CANCELED]) == failed
    assert declared_end([DONE, CANCELED, FAILED]) == failed


def test_the_first_failure_counts() -> None:
    assert declared_end([FAILED, {**FAILED, "details": "later"}]) == DeclaredEnd("Failed", "why", "E1")


def test_of_another_target() -> None:
    assert declared_end([{**CANCELED, "target": "parent"}], "parent") == DeclaredEnd("Canceled")
