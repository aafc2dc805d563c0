"""What a job may use of a machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlsteps.exceptions import ComputeTargetException

_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)


@dataclass(frozen=True)
class Resources:
    """Limits of a job on a container or pod; None leaves it to the compute target.

    A :class:`~mlsteps.LocalCompute` cannot hold them: its scripts share the worker's machine.

    :param cpu: Processors; may be a fraction.
    :param memory: In bytes.
    :param gpus: Whole ones.
    :param shm: Shared memory (``/dev/shm``), in bytes.
    """

    cpu: float | None = None
    memory: int | None = None
    gpus: int | None = None
    shm: int | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], where: str) -> Resources:
        """From ``cpu``, ``memory``, ``gpus`` and ``shm``, whose sizes may be texts such as ``8g``.

        :param where: What has these settings, for errors.
        :raises ComputeTargetException: naming the setting that is wrong.
        """
        known = [field.name for field in fields(cls)]
        for key in settings:
            if key not in known:
                raise ComputeTargetException(f"{where}: unknown {key!r}; known are {', '.join(known)}.")
        return cls(
            cpu=_number(settings, "cpu", where),
            memory=_bytes(settings, "memory", where),
            gpus=_whole(settings, "gpus", where),
            shm=_bytes(settings, "shm", where),
        )

    def to_settings(self) -> dict[str, Any]:
        """As :meth:`from_settings` takes them, without what is None."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def or_else(self, others: Resources) -> Resources:
        """These, and ``others`` where these are None."""
        return Resources(**{**others.to_settings(), **self.to_settings()})


def size_in_bytes(text: object) -> int | None:
    """The bytes that a number or a text such as ``512m``, ``8g`` or ``1.5 GiB`` means, or None."""
    if isinstance(text, bool):
        return None
    found = _SIZE.fullmatch(str(text).strip())
    return None if found is None else int(float(found.group(1)) * _UNITS[found.group(2).lower()])


def _number(settings: Mapping[str, Any], key: str, where: str) -> float | None:
    value = settings.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ComputeTargetException(f"{where}: {key!r} is a number above 0, got {value!r}.")
    return value


def _whole(settings: Mapping[str, Any], key: str, where: str) -> int | None:
    value = settings.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ComputeTargetException(f"{where}: {key!r} is a whole number, got {value!r}.")
    return value


def _bytes(settings: Mapping[str, Any], key: str, where: str) -> int | None:
    value = settings.get(key)
    if value is None:
        return None
    size = size_in_bytes(value)
    if not size:
        raise ComputeTargetException(
            f"{where}: {key!r} is a number of bytes or a text such as 512m or 8g, got {value!r}."
        )
    return size
