"""How the version of a module is written that a step runs: all of it, so that it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.definitions.kinds import Kind
from mlsteps.definitions.reader import Reader
from mlsteps.definitions.writer import Writer
from mlsteps.launcher.strict_json import Fields
from mlsteps.steps.module_content import ModuleContent


def _of_content(value: Any, writer: Writer) -> Mapping[str, Any]:
    return {"id": value.id, "name": value.name, "version": value.version, "content": value.to_plain()}


def _make_content(fields: Fields, reader: Reader) -> ModuleContent:
    return ModuleContent.of(
        fields.text("id"), fields.text("name"), fields.text("version"), fields.nested("content")
    )


KINDS = (Kind("ModuleVersion", lambda value: isinstance(value, ModuleContent), _of_content, _make_content),)
