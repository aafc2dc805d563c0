"""A small Python image for the tests, made from Debian's packages: no registry is asked.

It is made once on a machine (about a minute) and kept as a tar file in the user's cache, beside the tools
that the demo keeps there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

from servers.debian import ServerMissing, find_or_install

IMAGE = "mlsteps-test-python:3"
"""Debian 12 with ``sh`` and Python 3.11, without pip, compilers and certificates; about 120 MB."""

_SUITE = "bookworm"
_VERSION = 1  # of what is said below
_SECONDS = 600
_LEFT_OUT = (
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/cache/debconf/*-old",
    "var/lib/apt/lists/*",
    "var/log/*.log",
    "usr/share/doc/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/man/*",
)

# In memory, as writing safely to a disk takes a third of the time; the mount ends with its namespace.
_BUILD = """
set -eu
mount -t tmpfs -o size=2g mlsteps-image "$1"
debootstrap --variant=minbase --include=python3 "$2" "$1/root" >"$3.log" 2>&1
cd "$1/root"
rm -rf $4
tar --numeric-owner --one-file-system -c . >"$3"
"""


def python_image_tar() -> Path:
    """The image's files as a tar; made if it is not there, by one process at a time.

    :raises ServerMissing: it is not there and cannot be made.
    """
    tar = _tar()
    if tar.exists():
        return tar
    if os.geteuid() != 0:
        raise ServerMissing(f"Needs the image {IMAGE}, or root to make it with debootstrap.")
    tar.parent.mkdir(parents=True, exist_ok=True)
    with tar.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            install_debootstrap()
            _build(tar)
    return tar


def install_debootstrap() -> None:
    """Have what :func:`python_image_tar` needs, where the image is not there yet."""
    if not _tar().exists() and os.geteuid() == 0:
        find_or_install(_debootstrap, "debootstrap")


def _tar() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "mlsteps" / "tools" / f"test-python-{_SUITE}-{_VERSION}.tar"


def _debootstrap() -> Path | None:
    found = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def _build(tar: Path) -> None:
    folder = tar.with_suffix(".root")
    folder.mkdir(exist_ok=True)
    unfinished = tar.with_suffix(".part")
    words = [str(folder), _SUITE, str(unfinished), " ".join(_LEFT_OUT)]
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _BUILD, "sh", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(_SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    log = Path(f"{unfinished}.log")
    if status != 0:
        said = log.read_text(errors="replace")[-2000:] if log.exists() else "mount was refused"
        raise ServerMissing(f"debootstrap could not make {IMAGE}:\n{said}")
    unfinished.replace(tar)
    log.unlink(missing_ok=True)
    folder.rmdir()
