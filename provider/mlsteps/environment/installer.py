"""The two programs that can make an environment, uv and pip, and running one with its output streamed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlsteps.environment.interpreters import Interpreter
from mlsteps.environment.redaction import redact
from mlsteps.environment.requirements import option
from mlsteps.exceptions import EnvironmentBuildError

LAST_LINES = 30
"""How much of an installer's output an error holds."""

_ON_STDIN = ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--only-binary", "--no-binary")
_UV_FLAGS = {
    "--pre": ["--prerelease", "allow"],
    "--prefer-binary": [],
    "--trusted-host": ["--allow-insecure-host"],
}


@dataclass(frozen=True)
class Installer:
    """uv if its path is known, else ``venv`` and pip of the interpreter itself."""

    uv: str | None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "uv" if self.uv else "pip"

    def create_command(self, interpreter: Interpreter, folder: Path) -> list[str]:
        """Return the command that makes an empty environment in ``folder``."""
        if self.uv:
            path = str(interpreter.path)
            return [self.uv, "venv", str(folder), "--python", path, "--no-python-downloads", "--no-project"]
        return [str(interpreter.path), "-m", "venv", str(folder)]

    def install_command(
        self, python: Path, options: Sequence[str], locked: bool = False, whole: bool = False
    ) -> list[str]:
        """Return the command that installs what its standard input lists into ``python``'s environment.

        ``locked``: the list is complete, so nothing that it does not name is looked for. ``whole``: it is
        no virtual environment but an installation of Python, made for this.
        """
        flags = [*self._flags(options), *(["--no-deps"] if locked else [])]
        flags += ["--break-system-packages"] if whole else []
        if self.uv:
            return [self.uv, "pip", "install", "--python", str(python), *flags, "--requirements", "-"]
        return [str(python), "-m", "pip", "install", *flags, "--requirement", "/dev/stdin"]

    def compile_command(
        self,
        python: str,
        interpreter: Interpreter,
        options: Sequence[str],
        output: Path,
        hashes: bool,
        constraints: Path | None = None,
    ) -> list[str]:
        """Return uv's command that resolves its standard input for all platforms and writes it to a file.

        Args:
            python: the minor version to resolve for.
            interpreter: runs the build scripts of packages that have to be built to be known.
            options: pip options.
            output: the file to write.
            hashes: whether to write the digests of all files.
            constraints: a file with versions that packages have if they are needed.
        """
        where = ["--python", str(interpreter.path), "--python-version", python, "--no-python-downloads"]
        plain = ["--no-annotate", "--no-header", "--quiet", *(["--generate-hashes"] if hashes else [])]
        to = ["--output-file", str(output), *(["--constraint", str(constraints)] if constraints else [])]
        return [
            str(self.uv),
            "pip",
            "compile",
            "-",
            "--universal",
            *where,
            *plain,
            *to,
            *self._flags(options),
        ]

    def layer_command(
        self,
        target: Path,
        interpreter: Interpreter,
        python: str,
        platform: str,
        options: Sequence[str],
        wheels_only: bool,
    ) -> list[str]:
        """Return uv's command that installs its standard input into a folder, for another machine.

        Args:
            target: the folder.
            interpreter: runs build scripts.
            python: the other machine's minor version.
            platform: the other machine's platform as uv names it.
            options: pip options.
            wheels_only: never build a package.
        """
        where = ["--target", str(target), "--python", str(interpreter.path), "--no-python-downloads"]
        other = ["--python-version", python, "--python-platform", platform, "--link-mode", "copy"]
        flags = ["--no-deps", *(["--no-build"] if wheels_only else []), *self._flags(options)]
        return [str(self.uv), "pip", "install", *where, *other, *flags, "--requirements", "-"]

    def _flags(self, options: Sequence[str]) -> list[str]:
        """The options that are no lines of a requirements file."""
        flags: list[str] = []
        for name, value in map(option, options):
            if name not in _ON_STDIN:
                flags += (_UV_FLAGS[name] if self.uv else [name]) + ([value] if value else [])
        return flags


def find_uv() -> str | None:
    """Return the path of uv: on ``PATH``, or in the ``uv`` package of the running interpreter."""
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    try:
        from uv import find_uv_bin  # type: ignore[import-not-found, unused-ignore]

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def requirements_input(requirements: Sequence[str], options: Sequence[str]) -> str:
    """Return the text for an installer's standard input.

    Index URLs go there and not among the arguments, because every user of a machine can read those.
    """
    return "\n".join([*(item for item in options if option(item)[0] in _ON_STDIN), *requirements, ""])


def run_installer(
    command: Sequence[str],
    *,
    what: str,
    stdin: str = "",
    variables: Mapping[str, str],
    folder: Path,
    timeout: float,
    on_line: Callable[[str], None],
    mask: Callable[[str], str] = redact,
) -> None:
    """Run one command to its end; every line of its output goes to ``on_line``, credentials masked.

    Whatever ends this call, the command and its children do not outlive it.

    Raises:
        EnvironmentBuildError: it could not start, failed, or took longer than ``timeout`` seconds. The text
            holds the end of its output.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    # an unlinked file: a pipe could fill up before it is read, a named file would outlive a SIGKILL
    with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(variables),
                cwd=folder,
                start_new_session=True,  # so that its children can be ended with it
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise EnvironmentBuildError(f"{what}: {command[0]!r} does not start: {error}") from error
    late = threading.Event()

    def stop_late() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(timeout, stop_late)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        for raw in process.stdout:
            line = mask(raw.rstrip())
            last.append(line)
            on_line(line)
        code = process.wait()
    finally:
        timer.cancel()
        _end(process)
        process.wait()
    if late.is_set():
        raise EnvironmentBuildError(_report(what, f"was stopped after {timeout:.0f} seconds", last))
    if code != 0:
        raise EnvironmentBuildError(_report(what, f"ended with {_exit(code)}", last))


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended by itself in between
            os.killpg(process.pid, signal.SIGKILL)


def _exit(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"


def _report(what: str, how: str, last: Sequence[str]) -> str:
    output = "\n".join(f"  {line}" for line in last) or "  (it wrote nothing)"
    return f"{what} {how}. The end of its output:\n{output}"
