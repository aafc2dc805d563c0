"""Where a launcher gets its job from: a file, standard input or its environment. Read before anything else.

A job may hold signed addresses, and the script must not get at them. A job file can be deleted
(``delete_job_file``); what comes by the environment is overwritten there, so that
``/proc/<pid>/environ`` does not show it either; and Linux is told that nobody may look into the launcher's
processes (see `linux.hide`). Against a script that is root *and* may trace processes (``CAP_SYS_PTRACE``,
which containers do not have by default) there is no help, nor against who may ask the container engine, whose
own record of the environment stays. A program that starts the launcher and stays, such as a shell or an init
process, keeps the environment, too: then standard input is the better way.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException, UserErrorException

if TYPE_CHECKING:
    from mlsteps.launcher.job import Job

VARIABLE = "MLSTEPS_JOB"
"""Environment variable that may hold the job, as `encoded` makes it."""
STDIN = "-"
"""In place of a file's name: the job is what comes from standard input first."""

_MOST = 120 * 1024  # Linux takes 128 KiB for one variable
_PIECE = 64 * 1024
_URLS = (b"https://", b"http://")
# Nobody can stop a launcher that does not know its job yet.
_ATTEMPTS, _TIMEOUT = 4, 10.0


def encoded(job: Job) -> str:
    """The job as one line of text, for `VARIABLE` or standard input."""
    import base64
    import zlib

    return base64.b64encode(zlib.compress(job.to_json().encode(), 6)).decode()


def for_environment(job: Job) -> str:
    """The job for `VARIABLE`.

    Raises:
        UserErrorException: It is too long for that.
    """
    text = encoded(job)
    if len(text) > _MOST:
        raise UserErrorException(
            f"The job has {len(text):,} bytes, and an environment variable takes {_MOST:,}. "
            "Hand it over by standard input, as a file, or put it on a store and hand over its signed address"
        )
    return text


def read_source(name: str | None) -> bytes | None:
    """What stands at a source: a path, `STDIN`, or the environment for None; None if nothing is there.

    Raises:
        MlstepsException: It cannot be read.
    """
    if name is None:
        return _from_environment()
    try:
        if name == STDIN:
            return _from_stdin()
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise MlstepsException(f"Cannot read the job {name!r}: {error}") from error


def job_in(text: bytes) -> Job:
    """The job that `read_source` found: JSON, what `encoded` makes of it, or a signed address of either.

    Raises:
        MlstepsException: It is no job, or cannot be fetched.
    """
    from mlsteps.launcher.job import Job

    if text.startswith(_URLS):
        text = _fetched(text.decode("ascii", "replace").strip())
    if not text.lstrip().startswith(b"{"):
        import base64
        import zlib

        try:
            text = zlib.decompress(base64.b64decode(text.strip(), validate=True))
        except (ValueError, zlib.error):
            raise UserErrorException("The job is neither JSON nor what mlsteps makes of it") from None
    try:
        return Job.from_json(text.decode())
    except UnicodeDecodeError as error:
        raise MlstepsException(f"Cannot read the job: {error}") from error


def _fetched(address: str) -> bytes:
    from mlsteps.launcher.places import WebLimits
    from mlsteps.launcher.redaction import conceal
    from mlsteps.launcher.web import Web

    conceal(address.partition("?")[2])
    try:
        return Web(WebLimits(attempts=_ATTEMPTS, timeout_seconds=_TIMEOUT)).request("GET", address).body
    except MlstepsException as error:
        raise MlstepsException(f"The job cannot be fetched: {error.message}") from error


def _from_environment() -> bytes | None:
    value = os.environ.get(VARIABLE)
    if value is None:
        return None
    with contextlib.suppress(Exception):  # not part of every small Python build
        import ctypes

        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        place = getenv(VARIABLE.encode())
        if place:
            ctypes.memset(place, 0, len(os.fsencode(value)))
    del os.environ[VARIABLE]
    return os.fsencode(value)


def _from_stdin() -> bytes:
    """The first line, or the lines of a JSON object; what follows may be a lifeline that never ends."""
    data = b""
    while True:
        piece = os.read(0, _PIECE)
        data += piece
        if not piece or (data.endswith(b"\n") if not data.startswith(b"{\n") else b"\n}\n" in data):
            return data
