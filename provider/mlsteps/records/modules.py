"""Modules as the workspace's registry has them, and their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlsteps.records.layout import path_part
from mlsteps.records.names import Names
from mlsteps.records.published_pipelines import DISABLED
from mlsteps.records.states import States
from mlsteps.records.store import RecordStore

DEPRECATED = "Deprecated"

_VERSION = 1
_VERSIONS = "mlsteps/registry/module-versions"
_DOTTED = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True)
class ModuleRecord:
    """A module as it is at one time.

    :param status: ``Active``, ``Deprecated`` or ``Disabled``.
    :param default_version: The version that is meant where none is named; None is the highest one.
    """

    id: str
    name: str
    description: str
    status: str
    created: str
    default_version: str | None = None


@dataclass(frozen=True)
class ModuleVersionRecord:
    """A version of a module as it is at one time.

    :param id: The module's and the version's, see :func:`version_id`.
    :param module_name: The module's when this version was published.
    :param module_version: Whatever its publisher calls it; no other version of the module has it.
    :param status: ``Active``, ``Deprecated`` or ``Disabled``.
    :param content: What it is, which never changes.
    """

    id: str
    module_id: str
    module_name: str
    module_version: str
    created: str
    status: str
    description: str
    category: str | None
    content: Mapping[str, Any]


MODULES = States("mlsteps/registry/modules", _VERSION, ModuleRecord)
MODULE_NAMES = Names("mlsteps/registry/module-names", "module")


def create_module(store: RecordStore, record: ModuleRecord) -> ModuleRecord | None:
    """Write a new module; None if its name is another one's."""
    return MODULES.create_named(store, MODULE_NAMES, record)


def find_module(store: RecordStore, given: str) -> ModuleRecord | None:
    """The module of a name, else that of an id, else None."""
    for id in (MODULE_NAMES.of(store, given), given):
        record = MODULES.read(store, id) if id else None
        if record is not None:
            return record
    return None


def versions_of_module(module_id: str) -> States[ModuleVersionRecord]:
    """The versions of one module."""
    return States(f"{_VERSIONS}/{path_part(module_id)}", _VERSION, ModuleVersionRecord)


def version_id(module_id: str, version: str) -> str:
    """The id of a version. No module's id has a dot."""
    return f"{module_id}.{version}"


def read_version(store: RecordStore, id: str) -> ModuleVersionRecord | None:
    """A version by its id, or None."""
    module_id, _, version = id.partition(".")
    return versions_of_module(module_id).read(store, id) if version else None


def highest_version(store: RecordStore, module_id: str) -> ModuleVersionRecord | None:
    """The version with the highest number that is not disabled, or None; the others are not read."""
    names = (name.partition(".")[2] for name in store.list_names(versions_of_module(module_id).root))
    for version in sorted(filter(_DOTTED.fullmatch, names), key=_number, reverse=True):
        found = read_version(store, version_id(module_id, version))
        if found is not None and found.status != DISABLED:
            return found
    return None


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def meant_version(versions: Sequence[ModuleVersionRecord], default: str | None) -> ModuleVersionRecord | None:
    """The version that is meant where none is named: the default one, else the highest, else the newest.

    :param versions: The newest first.
    :returns: None where there is none, or all are disabled.
    """
    for one in versions:
        if one.module_version == default:
            return one
    there = [one for one in versions if one.status != DISABLED]
    numbered = [one for one in there if _DOTTED.fullmatch(one.module_version)]
    if numbered:
        return max(numbered, key=lambda one: _number(one.module_version))
    return there[0] if there else None


def next_version(versions: Sequence[ModuleVersionRecord]) -> str:
    """A whole number above all that there are."""
    taken = [int(one.module_version) for one in versions if one.module_version.isdecimal()]
    return str(max(taken, default=0) + 1)
