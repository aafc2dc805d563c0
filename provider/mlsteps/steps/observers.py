"""Whoever wants to watch steps of this process live: the command line's progress, a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from mlsteps.records import StepRecord


class StepObserver(Protocol):
    """Told what happens to steps that run in this process."""

    def step_changed(self, record: StepRecord) -> None:
        """A step started, moved on or ended."""

    def step_printed(self, record: StepRecord, stream: str, line: str) -> None:
        """A step's script printed a line."""


_observers: list[StepObserver] = []


@contextmanager
def observing(observer: StepObserver) -> Iterator[None]:
    """Tell ``observer`` of every step for as long as the block runs."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def tell_changed(record: StepRecord) -> None:
    """Tell all observers of a step's new state."""
    for observer in tuple(_observers):
        observer.step_changed(record)


def tell_printed(record: StepRecord, stream: str, line: str) -> None:
    """Tell all observers of a line."""
    for observer in tuple(_observers):
        observer.step_printed(record, stream, line)
