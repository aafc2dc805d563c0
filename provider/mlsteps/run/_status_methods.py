"""The part of ``Run`` that says how the run goes and how it ended."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

from mlsteps.run._core import RunCore
from mlsteps.run.lifecycle import declared_end
from mlsteps.run.protocol import PORTAL_URL_PROPERTY, EventKind, RunStatus, RunType

_SelfT = TypeVar("_SelfT", bound="StatusMethods")


class StatusMethods(RunCore):
    """Status methods of SDK v1's Run. They write notes for the launcher; none of them stops the script."""

    def start(self) -> None:
        """Does nothing: a run that a script can see has started."""

    def complete(self) -> None:
        """Note that the work is done. The exit code still decides, and the script may go on."""
        self._record(EventKind.STATUS, status=RunStatus.COMPLETED)

    def fail(self, error_details: str | BaseException | None = None, error_code: str | None = None) -> None:
        """Mark the run as failed, whatever the script's exit code will be.

        Args:
            error_details: a text, or an exception, of which the traceback is kept too.
            error_code: a word to sort errors by.
        """
        details = error_details
        if isinstance(details, BaseException):
            details = _exception_text(details)
        self._record(
            EventKind.STATUS,
            status=RunStatus.FAILED,
            details=None if details is None else str(details),
            code=None if error_code is None else str(error_code),
        )

    def cancel(self) -> None:
        """Mark the run as canceled; on ``run.parent`` ask that no later step starts.

        The script itself goes on: leave it with ``sys.exit(0)`` where nothing is left to do.
        """
        self._record(EventKind.CANCEL)

    def get_status(self) -> str:
        """``Running``, or ``Completed``, ``Failed`` or ``Canceled`` as declared; see ``RunStatus``."""
        end = declared_end(self._log.events(), self._identity.target)
        if end is None:
            return RunStatus.RUNNING
        if end.status == RunStatus.CANCELED and self._identity.type == RunType.PIPELINE:
            return RunStatus.CANCEL_REQUESTED
        return end.status

    @property
    def status(self) -> str:
        """The same as ``get_status()``."""
        return self.get_status()

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> dict[str, Any]:
        """Return ``get_details()`` at once: from inside a run, waiting for its end would never end."""
        return self.get_details()

    def get_details(self) -> dict[str, Any]:
        """What is known of the run, as a dict with SDK v1's keys."""
        raise NotImplementedError  # of Run

    def flush(self, timeout_seconds: int = 300) -> None:
        """Return when everything logged has reached the disk. Not needed before the script ends."""
        self._log.flush()

    def get_portal_url(self) -> str | None:
        """The address of the run's page: its property ``mlsteps.portal_url``, or None if there is none."""
        return self._identity.properties.get(PORTAL_URL_PROPERTY)

    def __enter__(self: _SelfT) -> _SelfT:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Complete the run, or fail it if an error leaves the block; ``sys.exit(0)`` is none."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.complete()
        else:
            self.fail(error)


def _exception_text(error: BaseException) -> str:
    import traceback  # only when something failed

    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
