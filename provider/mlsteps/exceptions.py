"""The errors that mlsteps raises; standard library only, since scripts in any environment import it too."""

from __future__ import annotations


class MlstepsException(Exception):
    """Base of every error of this package.

    ``message`` holds the text, as on SDK v1's ``AzureMLException``.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class UserErrorException(MlstepsException, ValueError):
    """Something the user declared or passed is wrong; the text says what and how to mend it.

    Also a ``ValueError``, because SDK v1 raised that for the same mistakes.
    """


class StepDefinitionError(UserErrorException):
    """A step was declared wrongly. The text names the step and the argument."""

    def __init__(self, step: str, argument: str, problem: str, fix: str = "") -> None:
        text = f"Step {step!r}, argument {argument!r}: {problem}"
        if fix:
            text = f"{text.rstrip('.')}. {fix}"
        super().__init__(text)
        self.step = step
        self.argument = argument


class PipelineValidationError(UserErrorException):
    """The steps do not form a pipeline: a cycle, an input nobody makes, two makers of one output."""


class PipelineParameterError(UserErrorException):
    """A parameter is unknown, has the wrong type, or is declared twice with different defaults."""


class WorkspaceException(MlstepsException):
    """The workspace, or something that it should know by name, could not be found."""


class DatastoreException(MlstepsException):
    """A datastore did not do what it was asked; the text says what, where, and what to see to.

    ``status`` is the HTTP status of a service's answer, None where there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ComputeTargetException(MlstepsException):
    """A compute target is unknown or cannot run the job (SDK v1 name)."""


class RunConfigurationException(MlstepsException):
    """A run configuration or environment is not usable (SDK v1 name)."""


class EnvironmentBuildError(MlstepsException):
    """An environment could not be made; the text holds the end of the installer's output."""


class SnapshotException(MlstepsException):
    """The source directory could not be snapshotted (SDK v1 name)."""


class RunEnvironmentException(MlstepsException):
    """There is no run to attach to (SDK v1 name)."""


class ModelPathNotFoundException(MlstepsException):
    """``register_model`` was given a path that is not among the run's files (SDK v1 name)."""


class ModelNotFoundException(MlstepsException):
    """No such model is registered (SDK v1 name)."""


class DataNotFoundException(MlstepsException):
    """Data that a step reads, or should have written, is not there."""


class JobFailedException(MlstepsException):
    """A step's job came to no good end; holds the script's exit code or signal, if it has one."""

    def __init__(self, message: str, exit_code: int | None = None, signal: str | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.signal = signal


class ScriptFailedException(JobFailedException):
    """That was the script's own doing, so that another try would most likely end alike."""


class ActivityFailedException(MlstepsException):
    """A run that was waited for has failed (SDK v1 name)."""
