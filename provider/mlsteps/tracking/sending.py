"""Runs the program that talks to MLflow, for a limited time, and hears its answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlsteps.environment.installer import run_installer
from mlsteps.environment.own_program import program_command
from mlsteps.exceptions import EnvironmentBuildError
from mlsteps.tracking import program
from mlsteps.tracking.server import MlflowServer, NotSent

# The client may need credentials of a cloud's storage, but nothing of Airflow.
_DROPPED = ("AIRFLOW", "_AIRFLOW")


def send(
    server: MlflowServer,
    batches: Sequence[Mapping[str, Any]],
    folder: Path,
    heard: Callable[[Mapping[str, Any]], None],
) -> dict[str, str | None]:
    """Send what :mod:`~mlsteps.tracking.mapping` made.

    :param folder: For temporary files.
    :param heard: Gets each answer at once.
    :returns: By the id of each batch that was tried, why it was not sent, or None.
    :raises NotSent: nothing was, or the time is over.
    """
    request = {
        "uri": server.uri,
        "timeout": server.seconds,
        "credentials": vars(server.credentials),
        "batches": batches,
    }
    ended: dict[str, str | None] = {}

    def on_line(line: str) -> None:
        for answer in _answers(line):
            heard(answer)
            if "batch" not in answer:
                raise NotSent(str(answer.get("error")))
            if set(answer) <= {"batch", "error"}:
                ended[answer["batch"]] = answer.get("error")

    try:
        run_installer(
            program_command(program.__file__, server.library),
            what="Sending to MLflow",
            stdin=json.dumps(request),
            variables={name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)},
            folder=folder,
            timeout=server.seconds,
            on_line=on_line,
            mask=server.credentials.hidden_in,
        )
    except EnvironmentBuildError as error:
        raise NotSent(str(error)) from None
    return ended


def _answers(line: str) -> Iterator[dict[str, Any]]:
    """The client prints lines of its own as well."""
    try:
        answer = json.loads(line)
    except ValueError:
        return
    if isinstance(answer, dict):
        yield answer
