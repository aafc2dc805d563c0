"""What the launcher is told to do: written by a compute target, read by the launcher."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import strict_json
from mlsteps.launcher.outputs import OutputSpec, check_absolute, check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    # Each of these modules is imported only for jobs that need it: others should start fast.
    from mlsteps.launcher.inputs import InputSpec
    from mlsteps.launcher.places import ReportSpec, WebLimits
    from mlsteps.launcher.strict_json import Fields

__all__ = ["KEPT_FOLDERS", "Job", "OutputSpec"]

_KIND = "mlsteps-job"
_VERSION = 2
_URLS = ("http://", "https://")

KEPT_FOLDERS = ("outputs", "logs")
"""Folders that the script finds in its working directory and that survive it, as on SDK v1."""


@dataclass(frozen=True)
class Job:
    """One run of one script. All paths are absolute unless said otherwise.

    Attributes:
        command: Program and arguments; without a ``/`` it is looked up in the ``PATH`` of ``environment``.
        working_directory: Where the script runs; made if missing.
        log_directory: Gets ``stdout.log`` and ``stderr.log``; made if missing.
        result_path: Where the `mlsteps.launcher.result.JobResult` is written, last of all.
        environment: The complete environment of the script: nothing is inherited, unless ``inherit`` says so.
        snapshot: Zip file to extract into the working directory, or its signed URL, or None.
        outputs: What the script must write.
        keep: Folders of the working directory to keep whatever happens to the script (relative paths).
        keep_to: Where they are moved to, or None to leave them.
        time_limit_seconds: How long the script may run, or None. Of a job that fetches or sends data it
            is the limit of all of it together.
        grace_seconds: Time between SIGTERM and SIGKILL when the script is stopped.
        lifeline: The launcher's stdin is a pipe whose other end the starter holds for as long as it lives:
            when it closes, the script is stopped.
        inputs: What is fetched before the script starts.
        files: Small text files to write before it starts: content by absolute path.
        report: Where to tell how it goes, or None.
        web: How to deal with stores; None is as usual.
        delete_job_file: Remove the file that this was read from, before anything else is done.
        inherit: The script also gets the launcher's own environment, as in a container whose image nobody
            has looked into; ``environment`` counts where both say something.

    Raises:
        UserErrorException: A field has an unusable value; the text names it.
    """

    command: tuple[str, ...]
    working_directory: str
    log_directory: str
    result_path: str
    environment: Mapping[str, str]
    snapshot: str | None = field(default=None, repr=False)
    outputs: tuple[OutputSpec, ...] = ()
    keep: tuple[str, ...] = KEPT_FOLDERS
    keep_to: str | None = None
    time_limit_seconds: float | None = None
    grace_seconds: float = 3.0
    lifeline: bool = False
    inputs: tuple[InputSpec, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    report: ReportSpec | None = None
    web: WebLimits | None = None
    delete_job_file: bool = False
    inherit: bool = False

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise UserErrorException("Job: the command is empty")
        for argument in self.command:
            if "\0" in argument:
                raise UserErrorException(f"Job: the argument {argument!r} holds a NUL character")
        for name in ("working_directory", "log_directory", "result_path"):
            check_absolute("Job", name, getattr(self, name))
        if self.keep_to is not None:
            check_absolute("Job", "keep_to", self.keep_to)
        if self.snapshot_is_remote:
            from mlsteps.launcher.places import check_url

            check_url("Job: snapshot", self.snapshot or "")
        elif self.snapshot is not None:
            check_absolute("Job", "snapshot", self.snapshot)
        for path in self.files:
            check_absolute("Job", "files", path)
        if self.report is not None and self.report.run_directory is not None:
            check_absolute("Job", "run_directory", self.report.run_directory)
        for name, value in self.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise UserErrorException(f"Job: {name!r} cannot be an environment variable")
        for folder in self.keep:
            check_text("Job", "keep", folder)
            normal = os.path.normpath(folder)
            if os.path.isabs(folder) or normal in (".", "..") or normal.startswith("../"):
                raise UserErrorException(f"Job: keep={folder!r} is not a folder inside the working directory")
        if self.time_limit_seconds is not None and self.time_limit_seconds <= 0:
            raise UserErrorException(
                f"Job: time_limit_seconds must be positive, not {self.time_limit_seconds}"
            )
        if self.grace_seconds < 0:
            raise UserErrorException(f"Job: grace_seconds must not be negative, but is {self.grace_seconds}")
        _check_unique("two outputs have the name", [output.name for output in self.outputs])
        _check_unique("two outputs have the manifest_path", [output.manifest_path for output in self.outputs])
        _check_unique("two inputs have the name", [item.name for item in self.inputs])

    @property
    def snapshot_is_remote(self) -> bool:
        """Whether the snapshot has to be fetched."""
        return self.snapshot is not None and self.snapshot.startswith(_URLS)

    @property
    def moves_data(self) -> bool:
        """Whether the launcher itself fetches or sends what the script reads or writes."""
        sends = any(output.upload or output.manifest_upload for output in self.outputs)
        return bool(self.inputs) or self.snapshot_is_remote or sends

    def output_path(self, output: OutputSpec) -> str:
        """Return the absolute path of ``output``."""
        return os.path.join(self.working_directory, output.path)

    def to_json(self) -> str:
        """Return the job as versioned JSON text."""
        fields = {
            **vars(self),
            "outputs": [output.fields() for output in self.outputs],
            "environment": dict(self.environment),
            "inputs": [item.fields() for item in self.inputs],
            "files": dict(self.files),
            "report": self.report and self.report.fields(),
            "web": self.web and vars(self.web),
        }
        return strict_json.render(_KIND, _VERSION, fields)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote.

        Raises:
            UserErrorException: It is not a job, of another version, or a field is missing, unknown or wrong.
        """
        fields = strict_json.parse(text, _KIND, _VERSION)
        job = cls(
            command=fields.texts("command"),
            working_directory=fields.text("working_directory"),
            log_directory=fields.text("log_directory"),
            result_path=fields.text("result_path"),
            environment=fields.mapping("environment"),
            snapshot=fields.optional_text("snapshot"),
            outputs=tuple(OutputSpec.of(item) for item in fields.objects("outputs")),
            keep=fields.texts("keep"),
            keep_to=fields.optional_text("keep_to"),
            time_limit_seconds=fields.optional_number("time_limit_seconds"),
            grace_seconds=fields.number("grace_seconds"),
            lifeline=fields.flag("lifeline"),
            inputs=_inputs(fields.objects("inputs")),
            files=fields.mapping("files"),
            report=_report(fields.optional_nested("report")),
            web=_web(fields.optional_nested("web")),
            delete_job_file=fields.flag("delete_job_file"),
            inherit=fields.flag("inherit"),
        )
        fields.finish()
        return job


def _report(fields: Fields | None) -> ReportSpec | None:
    if fields is None:
        return None
    from mlsteps.launcher.places import ReportSpec

    return ReportSpec.of(fields)


def _web(fields: Fields | None) -> WebLimits | None:
    if fields is None:
        return None
    from mlsteps.launcher.places import WebLimits

    return WebLimits.of(fields)


def _inputs(found: list[Fields]) -> tuple[InputSpec, ...]:
    if not found:
        return ()
    from mlsteps.launcher.inputs import InputSpec

    return tuple(InputSpec.of(item) for item in found)


def _check_unique(what: str, values: list[str]) -> None:
    if len(set(values)) < len(values):
        repeated = next(value for value in values if values.count(value) > 1)
        raise UserErrorException(f"Job: {what} {repeated!r}")
