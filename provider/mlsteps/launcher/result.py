"""What became of a job: written by the launcher as the last thing it does, read by the compute target."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    Stopped = Literal["worker-gone", "terminated", "outside"]

_KIND = "mlsteps-job-result"
_VERSION = 2
_STOPPED: dict[str, Stopped] = {
    "worker-gone": "worker-gone",
    "terminated": "terminated",
    "outside": "outside",
}

EXIT_LAUNCHER = 70
"""Exit code for what is not the script's doing, and for missing outputs (EX_SOFTWARE)."""
EXIT_TIMEOUT = 124
"""Exit code for a script that was stopped at its time limit, as of timeout(1)."""
EXIT_STOPPED = 128 + signal.SIGTERM
"""Exit code if the job was stopped and the script has none of its own to tell."""


@dataclass(frozen=True)
class JobResult:
    """How one run of one script ended.

    Attributes:
        exit_code: The script's own, or None if it never started or a signal ended it.
        signal: Name of the signal that ended the script, such as ``SIGKILL``, or None.
        started_at, ended_at: When the script started and ended (UTC, ISO 8601), or None if it never started.
        duration_seconds: How long the script ran.
        timed_out: It was stopped at its time limit.
        stopped: Why it was stopped otherwise: ``terminated`` (the launcher got a signal), ``worker-gone``
            (the lifeline closed), or None. A compute target that finds that neither the script nor its task
            ended it says ``outside``.
        error: What went wrong around the script, such as a command that does not exist, or None.
        missing_outputs: Names of the declared outputs that a successful script did not write.
        warnings: What went wrong without spoiling the result, such as a log file on a full disk.
        stdout_tail, stderr_tail: The last lines of both.
        phases: Seconds spent around the script: ``stage``, ``report`` and ``publish``, each if there
            was something to do.
    """

    exit_code: int | None = None
    signal: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_seconds: float = 0.0
    timed_out: bool = False
    stopped: Stopped | None = None
    error: str | None = None
    missing_outputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stdout_tail: str = ""
    stderr_tail: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the script ended well and all outputs and manifests are there."""
        return self.launcher_exit_code == 0

    @property
    def launcher_exit_code(self) -> int:
        """What the launcher itself exits with: 0 only if all is well."""
        if self.timed_out:
            return EXIT_TIMEOUT
        if self.signal is not None:
            return 128 + signal_number(self.signal)
        if self.exit_code:
            return self.exit_code
        if self.stopped is not None:
            return EXIT_STOPPED
        if self.exit_code is None or self.error is not None or self.missing_outputs:
            return EXIT_LAUNCHER
        return 0

    def to_json(self) -> str:
        """Return the result as versioned JSON text."""
        return strict_json.render(_KIND, _VERSION, {**vars(self), "phases": dict(self.phases)})

    @classmethod
    def from_json(cls, text: str) -> JobResult:
        """Read what `to_json` wrote.

        Raises:
            UserErrorException: It is not a result, of another version, or a field is missing or wrong.
        """
        fields = strict_json.parse(text, _KIND, _VERSION)
        stopped = fields.optional_text("stopped")
        if stopped is not None and stopped not in _STOPPED:
            raise UserErrorException(f"{_KIND}: the field 'stopped' has the unknown value {stopped!r}")
        result = cls(
            exit_code=fields.optional_integer("exit_code"),
            signal=fields.optional_text("signal"),
            started_at=fields.optional_text("started_at"),
            ended_at=fields.optional_text("ended_at"),
            duration_seconds=fields.number("duration_seconds"),
            timed_out=fields.flag("timed_out"),
            stopped=None if stopped is None else _STOPPED[stopped],
            error=fields.optional_text("error"),
            missing_outputs=fields.texts("missing_outputs"),
            warnings=fields.texts("warnings"),
            stdout_tail=fields.text("stdout_tail"),
            stderr_tail=fields.text("stderr_tail"),
            phases=fields.numbers("phases"),
        )
        fields.finish()
        return result


def signal_name(number: int) -> str:
    """Return the name of a signal; one without, as most real-time signals are, is ``SIG`` and the number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def signal_number(name: str) -> int:
    """Return the number for what `signal_name` returned, 0 for anything else."""
    if name in signal.Signals.__members__:
        return int(signal.Signals[name])
    digits = name[3:]
    return int(digits) if digits.isdigit() else 0
