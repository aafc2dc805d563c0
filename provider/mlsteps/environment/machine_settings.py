"""The variables an installer runs with: the machine's own package index settings, made known to uv too."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# pip's setting -> uv's names for it (any one that is set wins), and how uv separates several values
_UV_NAMES: dict[str, tuple[tuple[str, ...], str]] = {
    "index-url": (("UV_DEFAULT_INDEX", "UV_INDEX_URL"), " "),
    "extra-index-url": (("UV_INDEX", "UV_EXTRA_INDEX_URL"), " "),
    "find-links": (("UV_FIND_LINKS",), ","),
    "no-index": (("UV_NO_INDEX",), " "),
    "cert": (("SSL_CERT_FILE",), " "),
    "trusted-host": (("UV_INSECURE_HOST",), " "),
}
_SOURCES = ("index-url", "extra-index-url", "find-links", "no-index")
_SINGLE = ("index-url", "cert")

# an installer runs packages' build scripts: they have no business with Airflow's connections and keys,
# and must not import from, or install into, the interpreter that the worker happens to run in
_DROPPED_PREFIXES = ("AIRFLOW", "_AIRFLOW")
_DROPPED = frozenset(
    {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
)


def installer_variables(own_index: bool, machine: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for an installer.

    uv reads neither pip's variables nor ``pip.conf``. Where a machine is set up for pip only, its settings
    are handed to uv under uv's names; a machine with settings for uv keeps those.

    Args:
        own_index: the spec names its own package index, which then replaces the machine's.
        machine: the variables to start from; by default those of this process.
    """
    machine = os.environ if machine is None else machine
    variables = {
        name: value
        for name, value in machine.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    if not _uv_has_config_file(machine):
        variables |= _as_uv_settings(_pip_settings(machine), machine)
    if own_index:
        for name in _UV_NAMES["index-url"][0]:
            variables.pop(name, None)
    variables |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "PYTHONUNBUFFERED": "1", "PIP_NO_INPUT": "1"}
    variables |= {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_REQUIRE_VIRTUALENV": "0",
    }
    return variables


def _as_uv_settings(pip: Mapping[str, list[str]], machine: Mapping[str, str]) -> dict[str, str]:
    handed: dict[str, str] = {}
    for setting, values in pip.items():
        names, separator = _UV_NAMES[setting]
        if values and not any(machine.get(name) for name in names):
            handed[names[-1]] = values[-1] if setting in _SINGLE else separator.join(values)
    if any(setting in pip for setting in _SOURCES):
        # whoever set up several places for pip counts on pip's way of searching all of them
        handed.setdefault("UV_INDEX_STRATEGY", machine.get("UV_INDEX_STRATEGY") or "unsafe-best-match")
    return handed


def _pip_settings(machine: Mapping[str, str]) -> dict[str, list[str]]:
    settings: dict[str, list[str]] = {}
    for file in _pip_config_files(machine):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself would stop; uv has no reason to
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    settings |= _setting(key, value)
    for name, value in machine.items():
        if name.startswith("PIP_"):
            settings |= _setting(name[len("PIP_") :], value)
    return settings


def _setting(key: str, value: str) -> dict[str, list[str]]:
    name = key.lower().replace("_", "-")
    return {name: value.split()} if name in _UV_NAMES and value.split() else {}


def _pip_config_files(machine: Mapping[str, str]) -> Iterable[Path]:
    """Return pip's configuration files, those that count more later."""
    named = machine.get("PIP_CONFIG_FILE")
    if named == os.devnull:  # pip's own way to say "none at all"
        return []
    home = Path(machine.get("HOME") or Path.home())
    config = Path(machine.get("XDG_CONFIG_HOME") or home / ".config")
    machine_wide = [
        Path(folder) / "pip" / "pip.conf" for folder in ("/etc/xdg", "/Library/Application Support")
    ]
    users = [home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    return [
        *machine_wide,
        Path("/etc/pip.conf"),
        *users,
        Path(sys.prefix) / "pip.conf",
        *([Path(named)] if named else []),
    ]


def _uv_has_config_file(machine: Mapping[str, str]) -> bool:
    home = Path(machine.get("HOME") or Path.home())
    config = Path(machine.get("XDG_CONFIG_HOME") or home / ".config")
    return bool(machine.get("UV_CONFIG_FILE")) or any(
        file.is_file()
        for file in (config / "uv" / "uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml"))
    )
