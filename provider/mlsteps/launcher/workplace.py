"""The folders of a job: laid out before the script starts, the kept ones carried away after it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.launcher.job import Job


# In a run directory, as mlsteps.run.protocol has it, which is not known here.
UPLOADS = "uploads"


def clear(job: Job) -> None:
    """Remove the records that an earlier try may have left. Raises ``OSError``."""
    for record in (job.result_path, *(output.manifest_path for output in job.outputs)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(record)


def prepare(job: Job) -> None:
    """Lay out everything that the script of ``job`` expects to find, but for what has to be fetched.

    Raises:
        SnapshotException: The snapshot cannot be extracted.
        UserErrorException: Something is already where the script has to make an output.
        OSError: A folder cannot be made.
    """
    os.makedirs(job.working_directory, exist_ok=True)
    os.makedirs(job.log_directory, exist_ok=True)
    if job.snapshot is not None:
        from mlsteps.launcher import snapshot_archive  # zipfile is slow to import

        snapshot_archive.extract(job.snapshot, job.working_directory)
    for folder in job.keep:
        os.makedirs(os.path.join(job.working_directory, folder), exist_ok=True)
    if job.report is not None and job.report.run_directory is not None:
        os.makedirs(os.path.join(job.report.run_directory, UPLOADS), exist_ok=True)
    for name, text in job.files.items():
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for output in job.outputs:
        path = job.output_path(output)
        if output.create_directory:
            os.makedirs(path, exist_ok=True)
            continue
        if os.path.lexists(path):
            raise UserErrorException(
                f"Output {output.name!r}: something is already at {path!r}, where the script must write it. "
                "Give every try a path of its own"
            )
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)


def keep_folders(job: Job) -> list[str]:
    """Carry the kept folders of ``job`` to ``keep_to``; return in words what could not be kept.

    A folder is moved if that is possible and no declared output lies in it, else copied.
    """
    import shutil  # slow to import, and the script should not wait for it

    problems: list[str] = []
    if job.keep_to is None:
        return problems
    for folder in job.keep:
        source = os.path.join(job.working_directory, folder)
        if not os.path.isdir(source):
            continue
        try:
            _carry(job, source, os.path.join(job.keep_to, folder))
        except shutil.Error as error:
            names = ", ".join(
                repr(os.path.relpath(item[0], job.working_directory)) for item in error.args[0][:5]
            )
            problems.append(f"Not everything in {folder!r} could be kept: {names}")
        except OSError as error:
            problems.append(f"The folder {folder!r} could not be kept: {error.strerror or error}")
    return problems


def _carry(job: Job, source: str, target: str) -> None:
    import shutil

    os.makedirs(os.path.dirname(target), exist_ok=True)
    real = os.path.realpath(source)
    holds_output = any(
        os.path.commonpath([real, os.path.realpath(job.output_path(output))]) == real
        for output in job.outputs
    )
    if not holds_output and not os.path.islink(source) and not os.path.lexists(target):
        try:
            os.rename(source, target)
            return
        except OSError:
            pass  # another file system: copy
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
