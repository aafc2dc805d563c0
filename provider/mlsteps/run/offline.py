"""The run of a script that nobody launched: it prints what would be recorded, and remembers it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mlsteps.run._core import Identity
from mlsteps.run.datasets import NamedPaths, no_datasets
from mlsteps.run.experiment import RunExperiment
from mlsteps.run.files import PathOrStream, Stored, check_is_file
from mlsteps.run.protocol import PARENT, SELF, Event, EventKind
from mlsteps.run.run import Run

_TYPE = "OfflineRun"
_WIDTH = 200
_BY_HAND = "this script runs by hand, not as a step; pass it the path as an argument"


class _OfflineRun(Run):
    """A run without a launcher, so that a step's script runs by hand.

    SDK v1: ``azureml.core.run._OfflineRun``, which has less. Nothing is stored: metrics, tags and the rest
    are printed and can be read back by the same process, uploads are only listed, a registered model gets
    version 1. ``parent`` is another offline run, ``experiment.workspace`` the one that
    ``Workspace.from_config()`` finds.

    Args:
        parent_logger: accepted for SDK v1's sake.
        run_id: default ``OfflineRun_<uuid>``.
    """

    def __init__(self, parent_logger: Any = None, run_id: str | None = None, **kwargs: Any) -> None:
        if run_id is None:
            import uuid  # costs several milliseconds, and a launched script never needs it

            run_id = f"{_TYPE}_{uuid.uuid4()}"
        experiment, log, files = RunExperiment("offline", None), _Printed(), _Untouched()
        parent = self._make(
            Identity(f"{run_id}_parent", "offline", PARENT, _TYPE, experiment), log, files, None
        )
        self._assemble(Identity(run_id, "offline", SELF, _TYPE, experiment, number=1), log, files, parent)

    @property
    def input_datasets(self) -> NamedPaths:
        """Always empty; the KeyError says why."""
        return no_datasets("input dataset", _BY_HAND)

    @property
    def output_datasets(self) -> NamedPaths:
        """Always empty; the KeyError says why."""
        return no_datasets("output dataset", _BY_HAND)

    @classmethod
    def _make(cls, identity: Identity, log: _Printed, files: _Untouched, parent: Run | None) -> Run:
        run: _OfflineRun = cls.__new__(cls)
        run._assemble(identity, log, files, parent)
        return run

    def _open_child(self, child: str, name: str, tags: Mapping[str, str | None]) -> Run:
        run: _OfflineRun = type(self).__new__(type(self))
        run._assemble(self._child_identity(child, name, tags, _TYPE), self._log, self._files, self)
        return run


class _Printed:
    """An event log in memory that prints each event as a line."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def append(self, event: Event) -> None:
        self._events.append(event)
        whose = "" if event["target"] == SELF else f"{event['target']}: "
        print(f"[offline run] {whose}{_line(event)}", flush=True)

    def events(self) -> list[Event]:
        return list(self._events)

    def flush(self) -> None:
        pass


class _Untouched:
    """Files of an offline run: they stay where they are, and may be named as often as the script is tried."""

    root = ""

    @property
    def working_directory(self) -> str:
        return os.getcwd()

    def check_free(self, name: str) -> None:
        pass

    def store(self, name: str, source: PathOrStream) -> Stored:
        if not isinstance(source, (str, os.PathLike)):
            return Stored("", 0)  # the stream is the script's own; nothing of it is kept
        check_is_file(source)
        return Stored(os.path.abspath(source), os.path.getsize(source))


def _line(event: Event) -> str:
    kind = event["event"]
    if kind == EventKind.METRIC:
        step = f" (step {event['step']})" if "step" in event else ""
        text = str(event["value"])
        return f"{event['name']} = {text if len(text) <= _WIDTH else text[:_WIDTH] + ' ...'}{step}"
    if kind == EventKind.UPLOAD:
        return f"upload {event['name']} (not copied)"
    if kind == EventKind.MODEL:
        return f"model {event['name']}:{event['version']} from {event['path']} (not registered)"
    known = ("event", "time", "target")
    rest = [f"{key}={value}" for key, value in event.items() if key not in known and value is not None]
    return " ".join([kind, *rest])
