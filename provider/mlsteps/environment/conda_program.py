"""The program that solves and installs conda packages, with the ``rattler`` library; run by path.

A process of its own, because the library's threads have no business in a worker that forks, and so that it
can be stopped. It is given a request as JSON on its standard input, tells its progress line by line, and
writes an answer as JSON to the file that the request names. Requests hold credentials, and so does the answer
to ``solve``: whoever runs it takes them out.

Imports nothing of mlsteps.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_CREDENTIALS = re.compile(r"(?<=://)[^/@]+@|(?<=[^/:])/t/[^/]+(?=/)|\?.*")
_MISSING = re.compile(r"No candidates were found for ([^\s,;]+)")


class Refused(Exception):
    """What cannot be done, for people.

    Args:
        text: why.
        missing: the packages that no channel has.
    """

    def __init__(self, text: str, missing: list[str] | None = None) -> None:
        super().__init__(text)
        self.missing = missing or []


def main() -> int:
    request = json.load(sys.stdin)
    try:
        does = {"solve": _solve, "install": _install}[request["do"]]
        answer = asyncio.run(does(request))
    except Refused as error:
        answer = {"error": str(error), "missing": error.missing}
    except Exception:
        traceback.print_exc()
        return 1
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


# ---- solving


async def _solve(request: Mapping[str, Any]) -> dict[str, Any]:
    import rattler
    from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

    config = _config()
    gateway = rattler.Gateway.from_config(config)
    channels = [rattler.Channel(url) for url in request["channels"]]
    strict = request["strict"]

    async def solved(priority: rattler.ChannelPriority) -> Any:
        return await rattler.solve(
            channels,
            request["packages"],
            gateway=gateway,
            # with CONDA_OVERRIDE_CUDA and its like
            virtual_packages=rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env()),
            channel_priority=priority,
        )

    try:
        try:
            first = rattler.ChannelPriority.Disabled if strict is False else rattler.ChannelPriority.Strict
            records = await solved(first)
        except SolverError:
            if strict is not None or len(channels) < 2:
                raise
            print("Not to be solved with the first channel that has a package; looking in all.", flush=True)
            records = await solved(rattler.ChannelPriority.Disabled)
    except SolverError as error:
        raise Refused(str(error), sorted(set(_MISSING.findall(str(error))))) from error
    except (GatewayError, InvalidMatchSpecError) as error:
        raise Refused(str(error)) from error
    return {"packages": [_described(record) for record in records]}


def _described(record: Any) -> dict[str, Any]:
    noarch = "python" if record.noarch.python else "generic" if record.noarch.generic else None
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "build_number": record.build_number,
        "subdir": record.subdir,
        "url": record.url,
        "sha256": record.sha256.hex() if record.sha256 else "",
        "md5": record.md5.hex() if record.md5 else "",
        "noarch": noarch,
        "depends": list(record.depends),
        "site_packages": record.python_site_packages_path,
    }


# ---- installing


async def _install(request: Mapping[str, Any]) -> dict[str, Any]:
    import rattler
    from rattler.exceptions import InstallerError

    packages, prefix = request["packages"], Path(request["prefix"])
    for package in packages:
        _check_file(package)
    with tempfile.TemporaryDirectory() as folder:
        records = [_record(package, Path(folder) / "index.json") for package in packages]
    try:
        await rattler.install(
            records, prefix, show_progress=False, reporter=_reporter(), client=None, config=_config()
        )
    except InstallerError as error:
        raise Refused(str(error)) from error
    finally:
        _forget_credentials(prefix)
    _tell_of_scripts(prefix)
    return {"variables": _activated(prefix)}


def _check_file(package: Mapping[str, Any]) -> None:
    """Check the digest of an archive in a folder; the library does that only with what it downloads."""
    parts = urlsplit(package["url"])
    if parts.scheme != "file":
        return
    kind = "sha256" if package["sha256"] else "md5"
    digest = hashlib.new(kind)
    try:
        with open(unquote(parts.path), "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise Refused(f"{package['name']} cannot be read: {error}") from error
    if digest.hexdigest() != package[kind]:
        raise Refused(
            f"hash mismatch: {parts.path} has {kind} {digest.hexdigest()}, expected {package[kind]}"
        )


def _record(package: Mapping[str, Any], file: Path) -> Any:
    """The library's record of a package; through the file format that stays when the library changes."""
    import rattler

    index = {name: package[name] for name in ("name", "version", "build", "build_number", "subdir")}
    index |= {"depends": package["depends"], "noarch": package["noarch"]}
    if package["site_packages"]:
        index["python_site_packages_path"] = package["site_packages"]
    file.write_text(json.dumps(index), encoding="utf-8")
    record = rattler.PackageRecord.from_index_json(
        file, sha256=package["sha256"] or None, md5=package["md5"] or None
    )
    url = package["url"]
    channel, _, name = url.rsplit("/", 2)
    return rattler.RepoDataRecord(record, name, url, channel)


def _reporter() -> Any:
    from rattler.install import InstallerReporter

    class Reporter(InstallerReporter):  # type: ignore[misc]
        """Says which packages are fetched; those that the cache has are not."""

        def __init__(self) -> None:
            self._names: list[str] = []

        def on_populate_cache_start(self, operation: int, package_name: str) -> int:
            self._names.append(package_name)
            return len(self._names) - 1

        def on_download_start(self, cache_entry: int) -> int:
            print(f"Fetching {self._names[cache_entry]}", flush=True)
            return cache_entry

    return Reporter()


def _forget_credentials(prefix: Path) -> None:
    """Take them out of the records that the library writes, which the script could read."""
    for file in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        clean = {name: _CREDENTIALS.sub("", record[name]) for name in ("url", "channel") if record.get(name)}
        if clean != {name: record[name] for name in clean}:
            file.write_text(json.dumps({**record, **clean}, indent=2), encoding="utf-8")


def _tell_of_scripts(prefix: Path) -> None:
    """Name the packages whose scripts would have run with conda."""
    if _config().run_post_link_scripts == "insecure":
        return
    names = sorted(file.name[1:].partition("-post-link")[0] for file in prefix.glob("bin/.*-post-link.sh"))
    if names:
        print(
            f"Not run: the post-link scripts of {', '.join(names)}. Settings of rattler "
            '(run-post-link-scripts = "insecure") allow them.',
            flush=True,
        )


def _activated(prefix: Path) -> dict[str, str]:
    """The variables that activating the environment sets, such as where a library finds its data."""
    scripts = sorted((prefix / "etc" / "conda" / "activate.d").glob("*.sh"))
    if not scripts:
        return {}
    given = {"PATH": f"{prefix / 'bin'}{os.pathsep}{os.defpath}", "CONDA_PREFIX": str(prefix)}
    given |= {"HOME": os.environ.get("HOME", "/"), "CONDA_SHLVL": "1", "CONDA_DEFAULT_ENV": str(prefix)}
    code = 'for script in "$@"; do . "$script" >&2; done; exec env -0'
    command = [shutil.which("bash") or "/bin/sh", "-c", code, "activate", *map(str, scripts)]
    ended = subprocess.run(command, env=given, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    entries = (entry.partition("=") for entry in ended.stdout.decode(errors="replace").split("\0") if entry)
    known = {*given, "_", "SHLVL", "PWD", "OLDPWD"}
    return {name: value for name, _, value in entries if name not in known}


def _config() -> Any:
    """The user's own settings of the library: mirrors, proxies, certificates, where credentials are."""
    from rattler import Config

    return Config.load_from_default_locations("rattler")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The library's threads may still be at work, and would crash in an interpreter that is being ended.
    os._exit(code)
