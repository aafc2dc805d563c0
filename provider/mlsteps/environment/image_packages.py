"""Puts the packages of a lock into a folder that becomes a layer of an image, without running the image.

The worker's uv fetches wheels for the image's Python and platform. So no credential of a package index enters
a build, and an image is made in the time that a virtual environment takes. What comes of it is a virtual
environment of the image's interpreter: a file that says where that is, a link to it, and the packages.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mlsteps.environment.image_probe import ImageFacts
from mlsteps.environment.installer import Installer, find_uv, requirements_input, run_installer
from mlsteps.environment.interpreters import Interpreter, find_interpreter, running_interpreter
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.machine_settings import installer_variables
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.exceptions import EnvironmentBuildError

ENVIRONMENT_FOLDER = "/opt/mlsteps/env"
"""Where the packages stand in the image."""

_GLIBC = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_NO_WHEEL = re.compile(
    r"Because ([A-Za-z0-9._-]+)(?:==\S+)? (?:has no (?:usable )?wheels|has no wheels with)|"
    r"`?([A-Za-z0-9._-]+)(?:==[^`\s]+)?`? (?:was|is) marked as `--no-build`|"
    r"Building source distributions? for `?([A-Za-z0-9._-]+)`? is disabled",
)


def fill_environment(
    folder: Path,
    lock: EnvironmentLock,
    image: ImageFacts,
    on_line: Callable[[str], None],
    secrets: UrlSecrets,
    timeout: float,
    with_images_packages: bool,
) -> None:
    """Make the content of ``ENVIRONMENT_FOLDER`` in ``folder``.

    Args:
        folder: an empty folder of this machine.
        lock: what to install.
        image: what it will be used in.
        on_line: gets uv's output.
        secrets: credentials of the package indexes.
        timeout: seconds that it may take.
        with_images_packages: whether the packages that the image has itself are seen, too.

    Raises:
        EnvironmentBuildError: there is no uv, or a package could not be had; the text names a package
            that has no wheel for the image.
    """
    packages = folder / "lib" / f"python{image.minor}" / "site-packages"
    packages.mkdir(parents=True)
    binaries = folder / "bin"
    binaries.mkdir()
    if lock.packages:
        _install(packages, lock, image, on_line, secrets, timeout)
    for script in _scripts(packages):
        shutil.move(script, binaries / script.name)
        _own_interpreter(binaries / script.name)
    for name in ("python", "python3", f"python{image.minor}"):
        (binaries / name).symlink_to(image.python)
    shown = "true" if with_images_packages else "false"
    (folder / "pyvenv.cfg").write_text(
        f"home = {PurePosixPath(image.python).parent}\n"
        f"include-system-site-packages = {shown}\nversion = {image.version}\n"
    )


def _install(
    packages: Path,
    lock: EnvironmentLock,
    image: ImageFacts,
    on_line: Callable[[str], None],
    secrets: UrlSecrets,
    timeout: float,
) -> None:
    installer = Installer(find_uv())
    if installer.uv is None:
        raise EnvironmentBuildError(
            f"The packages of image {image.name!r} cannot be fetched: uv is not installed on this machine. "
            "Install it beside mlsteps (pip install uv)."
        )
    builder = _builder(image)
    command = installer.layer_command(
        packages,
        builder or running_interpreter(),
        image.minor,
        python_platform(image),
        lock.options,
        builder is None,
    )
    last: list[str] = []

    def heard(line: str) -> None:
        last.append(line)
        on_line(line)

    try:
        run_installer(
            command,
            what=f"Fetching {lock} for image {image.name!r}",
            stdin=secrets.reveal_all(requirements_input(lock.packages, lock.options)),
            variables=installer_variables(any(item.startswith("--index-url") for item in lock.options)),
            folder=packages,
            timeout=timeout,
            on_line=heard,
            mask=secrets.mask,
        )
    except EnvironmentBuildError as error:
        missing = _NO_WHEEL.search(" ".join(" ".join(last).split()))
        if missing is None:
            raise
        name = next(filter(None, missing.groups()))
        raise EnvironmentBuildError(
            f"Package {name!r} has no wheel for Python {image.minor} on {image.machine} "
            f"({image.libc or 'no glibc'}), which image {image.name!r} has. Ask for a version that has one, "
            "use an image that has the package, or install that Python on the worker, so that it is built "
            f"there.\n{error}"
        ) from error


def python_platform(image: ImageFacts) -> str:
    """Return uv's name for the platform of an image."""
    match = re.match(r"glibc 2\.(\d+)", image.libc)
    if match is None:
        return f"{image.machine}-unknown-linux-musl"
    known = [minor for minor in _GLIBC if minor <= int(match[1])]
    return f"{image.machine}-manylinux_2_{known[-1] if known else _GLIBC[0]}"


def _builder(image: ImageFacts) -> Interpreter | None:
    """The interpreter of this machine that builds packages without a wheel, if what it builds runs there."""
    import platform

    theirs, own = re.match(r"glibc 2\.(\d+)", image.libc), platform.libc_ver()
    if theirs is None or platform.machine() != image.machine or own[0] != "glibc":
        return None
    if int(own[1].split(".")[1]) > int(theirs[1]):
        return None
    try:
        found = find_interpreter(image.minor)
    except EnvironmentBuildError:
        return None
    return found if found.implementation == "cpython" else None


def _scripts(packages: Path) -> list[Path]:
    folder = packages / "bin"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _own_interpreter(script: Path) -> None:
    """Let a script that an installer wrote start the image's environment, not the worker's interpreter."""
    data = script.read_bytes()
    ours = f"#!{ENVIRONMENT_FOLDER}/bin/python\n".encode()
    changed = re.sub(rb"\A#!/bin/sh\n'''exec' .*\n' '''\n", ours, data)
    changed = re.sub(rb"\A#![^\n]*python[^\n]*\n", ours, changed)
    if changed != data:
        mode = script.stat().st_mode
        script.write_bytes(changed)
        os.chmod(script, mode)
