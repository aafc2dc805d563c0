"""What the launcher is told to do: written by a compute target, read by the launcher."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIND = "mlsteps-job"
_VERSION = 1

KEPT_FOLDERS = ("outputs", "logs")
"""Folders that the script finds in its working directory and that survive it, as on SDK v1."""


@dataclass(frozen=True)
class OutputSpec:
    """Something that the script must have written when it ends.

    Attributes:
        name: As declared; used in messages.
        path: Where the script writes it (file or directory); may be relative to the working directory.
        create_directory: True: the launcher makes a directory there before the script starts (as for SDK v1's
            ``OutputFileDatasetConfig``). False: only its parent is made, and nothing may be there yet
            (``PipelineData``: the script makes it, often with a plain ``os.makedirs``).
        manifest_path: Absolute path of the manifest that is written once all outputs are complete.
    """

    name: str
    path: str
    create_directory: bool
    manifest_path: str

    def __post_init__(self) -> None:
        where = f"Output {self.name!r}"
        if not self.name:
            raise UserErrorException("An output needs a name")
        _check_text(where, "path", self.path)
        _check_absolute(where, "manifest_path", self.manifest_path)


@dataclass(frozen=True)
class Job:
    """One run of one script. All paths are absolute unless said otherwise.

    Attributes:
        command: Program and arguments; without a ``/`` it is looked up in the ``PATH`` of ``environment``.
        working_directory: Where the script runs; made if missing.
        log_directory: Gets ``stdout.log`` and ``stderr.log``; made if missing.
        result_path: Where the `mlsteps.launcher.result.JobResult` is written, last of all.
        environment: The complete environment of the script: nothing is inherited.
        snapshot: Zip file to extract into the working directory, or None.
        outputs: What the script must write.
        keep: Folders of the working directory to keep whatever happens to the script (relative paths).
        keep_to: Where they are moved to, or None to leave them.
        time_limit_seconds: How long the script may run, or None.
        grace_seconds: Time between SIGTERM and SIGKILL when the script is stopped.
        lifeline: The launcher's stdin is a pipe whose other end the starter holds for as long as it lives:
            when it closes, the script is stopped.

    Raises:
        UserErrorException: A field has an unusable value; the text names it.
    """

    command: tuple[str, ...]
    working_directory: str
    log_directory: str
    result_path: str
    environment: Mapping[str, str]
    snapshot: str | None = None
    outputs: tuple[OutputSpec, ...] = ()
    keep: tuple[str, ...] = KEPT_FOLDERS
    keep_to: str | None = None
    time_limit_seconds: float | None = None
    grace_seconds: float = 3.0
    lifeline: bool = False

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise UserErrorException("Job: the command is empty")
        for argument in self.command:
            if "\0" in argument:
                raise UserErrorException(f"Job: the argument {argument!r} holds a NUL character")
        for field in ("working_directory", "log_directory", "result_path"):
            _check_absolute("Job", field, getattr(self, field))
        for field in ("snapshot", "keep_to"):
            if getattr(self, field) is not None:
                _check_absolute("Job", field, getattr(self, field))
        for name, value in self.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise UserErrorException(f"Job: {name!r} cannot be an environment variable")
        for folder in self.keep:
            _check_text("Job", "keep", folder)
            normal = os.path.normpath(folder)
            if os.path.isabs(folder) or normal in (".", "..") or normal.startswith("../"):
                raise UserErrorException(f"Job: keep={folder!r} is not a folder inside the working directory")
        if self.time_limit_seconds is not None and self.time_limit_seconds <= 0:
            raise UserErrorException(
                f"Job: time_limit_seconds must be positive, not {self.time_limit_seconds}"
            )
        if self.grace_seconds < 0:
            raise UserErrorException(f"Job: grace_seconds must not be negative, but is {self.grace_seconds}")
        _check_unique("name", [output.name for output in self.outputs])
        _check_unique("manifest_path", [output.manifest_path for output in self.outputs])

    def output_path(self, output: OutputSpec) -> str:
        """Return the absolute path of ``output``."""
        return os.path.join(self.working_directory, output.path)

    def to_json(self) -> str:
        """Return the job as versioned JSON text."""
        outputs = [vars(output) for output in self.outputs]
        fields = {**vars(self), "outputs": outputs, "environment": dict(self.environment)}
        return strict_json.render(_KIND, _VERSION, fields)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote.

        Raises:
            UserErrorException: It is not a job, of another version, or a field is missing, unknown or wrong.
        """
        fields = strict_json.parse(text, _KIND, _VERSION)
        outputs = []
        for item in fields.objects("outputs"):
            outputs.append(
                OutputSpec(
                    name=item.text("name"),
                    path=item.text("path"),
                    create_directory=item.flag("create_directory"),
                    manifest_path=item.text("manifest_path"),
                )
            )
            item.finish()
        job = cls(
            command=fields.texts("command"),
            working_directory=fields.text("working_directory"),
            log_directory=fields.text("log_directory"),
            result_path=fields.text("result_path"),
            environment=fields.mapping("environment"),
            snapshot=fields.optional_text("snapshot"),
            outputs=tuple(outputs),
            keep=fields.texts("keep"),
            keep_to=fields.optional_text("keep_to"),
            time_limit_seconds=fields.optional_number("time_limit_seconds"),
            grace_seconds=fields.number("grace_seconds"),
            lifeline=fields.flag("lifeline"),
        )
        fields.finish()
        return job


def _check_text(where: str, field: str, value: str) -> None:
    if not value or "\0" in value:
        raise UserErrorException(f"{where}: {field}={value!r} is not a path")


def _check_absolute(where: str, field: str, value: str) -> None:
    _check_text(where, field, value)
    if not os.path.isabs(value):
        raise UserErrorException(f"{where}: {field}={value!r} must be an absolute path")


def _check_unique(field: str, values: list[str]) -> None:
    if len(set(values)) < len(values):
        repeated = next(value for value in values if values.count(value) > 1)
        raise UserErrorException(f"Job: two outputs have the {field} {repeated!r}")
