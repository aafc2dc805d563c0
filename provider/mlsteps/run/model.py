"""The model that ``Run.register_model`` hands back to the script; the registry lives with the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.run import values


@dataclass(frozen=True)
class Model:
    """A model as just registered by this script.

    It enters the registry when the step has ended well, so ``version`` is the expected one: another run that
    registers the same name at the same time may get it first. SDK v1: ``azureml.core.Model``, of which this
    holds what a script can know.
    """

    name: str
    version: int
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    model_framework: str | None = None
    model_framework_version: str | None = None
    path: str = ""
    run_id: str = ""
    experiment_name: str = ""

    @property
    def id(self) -> str:
        """``name:version``, as in SDK v1."""
        return f"{self.name}:{self.version}"

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"A model that this script registered has no {name!r} yet: it enters the registry when the "
                "step has ended. Read it in a later step, by name from the workspace."
            )


def dataset_label(value: object) -> str | None:
    """A dataset by its name, else its id, else its text."""
    found = getattr(value, "name", None) or getattr(value, "id", None) or value
    return None if found is None else str(found)


def resource_needs(value: object) -> dict[str, Any] | None:
    """What serving a model needs, as JSON."""
    if value is None:
        return None
    return {name: values.to_json(getattr(value, name, None)) for name in ("cpu", "memory_in_gb", "gpu")}
