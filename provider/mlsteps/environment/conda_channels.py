"""The conda channels that packages are looked for in: a specification's own, and this machine's settings.

Settings are conda's: ``.condarc`` files, ``CONDARC``, ``CONDA_CHANNELS``, those below ``MAMBA_ROOT_PREFIX``.
Credentials that stand in them are handed to what reads a channel, and to nothing else. Others are found by
that itself: a keychain, or the file that ``RATTLER_AUTH_FILE`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlsteps.environment.redaction import UrlSecrets
from mlsteps.exceptions import EnvironmentBuildError

FALLBACK = "conda-forge"
"""The channel where neither a specification nor the machine names one."""

_LISTS = ("channels", "default_channels")
_MAPS = ("custom_channels", "custom_multichannels")
# What "defaults" stands for; the names under which they are found beside all others.
_DEFAULTS = ("main", "r")


@dataclass(frozen=True)
class ChannelAccess:
    """The channels to look in, in their order.

    Args:
        urls: names or URLs, with their credentials; never shown.
        strict: whether only the first channel that has a package is looked at; ``None`` if that may change
            where nothing is found so.
        secrets: the credentials.
    """

    urls: tuple[str, ...] = field(repr=False)
    strict: bool | None = None
    secrets: UrlSecrets = field(default_factory=UrlSecrets)

    @property
    def shown(self) -> tuple[str, ...]:
        """The channels for people."""
        return tuple(UrlSecrets().hide_channel(url) for url in self.urls)


def channel_access(
    channels: Iterable[str], secrets: UrlSecrets, machine: Mapping[str, str] | None = None
) -> ChannelAccess:
    """Return how to get at ``channels``, and at those that this machine adds.

    Args:
        channels: of a specification, without credentials.
        secrets: its credentials.
        machine: environment variables; by default those of this process.

    Raises:
        EnvironmentBuildError: a settings file of conda cannot be read.
    """
    settings = conda_settings(os.environ if machine is None else machine)
    wanted = [secrets.reveal_below(channel) for channel in channels]
    own = settings["channels"] if "nodefaults" not in wanted else []
    wanted = [channel for channel in (*wanted, *own) if channel != "nodefaults"] or [FALLBACK]
    known = UrlSecrets()
    full: dict[str, str] = {}  # a channel may be named without the credentials that the machine has for it
    for channel in (*wanted, *settings["channels"]):
        for url in _urls(channel, settings):
            place = known.hide_channel(url).rstrip("/")
            if place != url.rstrip("/") or place not in full:
                full[place] = url
    places = [known.hide_channel(url).rstrip("/") for item in wanted for url in _urls(item, settings)]
    urls = tuple(full[place] for place in dict.fromkeys(places))
    priority = settings.get("channel_priority")
    strict = {"strict": True, "disabled": False, "false": False}.get(str(priority).lower())
    return ChannelAccess(urls, strict, secrets.joined(known))


def conda_settings(machine: Mapping[str, str]) -> dict[str, Any]:
    """Return conda's settings about channels, of all its files; those nearer to the user count first.

    Raises:
        EnvironmentBuildError: a file cannot be read.
    """
    merged: dict[str, Any] = {name: [] for name in _LISTS} | {name: {} for name in _MAPS}
    for file in _settings_files(machine):
        for key, value in _read(file, machine).items():
            if key in _LISTS and isinstance(value, list):
                merged[key] = [*map(str, value), *merged[key]]
            elif key in _MAPS and isinstance(value, Mapping):
                merged[key] = {**merged[key], **value}
            elif key in ("channel_alias", "channel_priority"):
                merged[key] = value
    named = machine.get("CONDA_CHANNELS", "")
    merged["channels"] = [*filter(None, map(str.strip, named.split(","))), *merged["channels"]]
    alias = machine.get("CONDA_CHANNEL_ALIAS")
    return {**merged, **({"channel_alias": alias} if alias else {})}


def _urls(channel: str, settings: Mapping[str, Any]) -> list[str]:
    """What a channel's name stands for; a name that is in no setting stays one."""
    if "://" in channel or channel.startswith(("/", "~", ".")):
        return [channel]
    multiple = settings["custom_multichannels"].get(channel)
    if channel == "defaults":
        multiple = settings["default_channels"] or multiple or _DEFAULTS
    if multiple:
        return [url for item in multiple if item != channel for url in _urls(str(item), settings)]
    first, _, _ = channel.partition("/")
    base = settings["custom_channels"].get(channel) or settings["custom_channels"].get(first)
    base = base or settings.get("channel_alias")
    return [f"{str(base).rstrip('/')}/{channel}"] if base else [channel]


def _settings_files(machine: Mapping[str, str]) -> list[Path]:
    """Conda's and mamba's files in the order in which they count more and more."""
    home = Path(machine.get("HOME") or Path.home())
    config = Path(machine.get("XDG_CONFIG_HOME") or home / ".config")
    roots = [machine[name] for name in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX") if machine.get(name)]
    files = [Path("/etc/conda/.condarc"), Path("/var/lib/conda/.condarc")]
    files += [Path(root) / name for root in roots for name in (".condarc", ".mambarc")]
    files += [config / "conda" / ".condarc", home / ".conda" / ".condarc"]
    files += [home / ".condarc", home / ".mambarc"]
    named = machine.get("CONDARC") or machine.get("MAMBARC")
    return [file for file in (*files, *([Path(named).expanduser()] if named else [])) if file.is_file()]


def _read(file: Path, machine: Mapping[str, str]) -> Mapping[str, Any]:
    import string

    import yaml

    try:
        # as conda does: credentials are often left to variables
        text = string.Template(file.read_text(encoding="utf-8")).safe_substitute(machine)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # not the whole of YAML's words, which quote the file
        problem = getattr(error, "problem", None) or error.__class__.__name__
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise EnvironmentBuildError(
            f"Conda's settings in {str(file)!r} cannot be read: {problem}{line}."
        ) from None
    return content if isinstance(content, Mapping) else {}
