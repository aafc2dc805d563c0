"""The run parameter ``regenerate_outputs``: which steps run although nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlsteps.exceptions import PipelineParameterError
from mlsteps.steps.parameters import REGENERATE

_OFF = ("", "off", "none", "false", "no")
_ALL = ("all", "true", "yes")


@dataclass(frozen=True)
class Regenerate:
    """Off, all steps, or those with certain names or task ids."""

    everything: bool = False
    steps: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, value: Any) -> Regenerate:
        """From a run's parameter: off or all, a boolean, a step's name, or a list of names.

        The text may also be a list as JSON, or names with commas between them.

        :raises PipelineParameterError: it is something else.
        """
        if value is None or value is False:
            return cls()
        if value is True:
            return cls(everything=True)
        if isinstance(value, str):
            return cls._from_text(value)
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
            names = frozenset(name.strip() for name in value if name.strip().lower() not in _OFF)
            if any(name.lower() == "all" for name in names):
                return cls(everything=True)
            return cls(steps=names)
        raise PipelineParameterError(
            f"Parameter {REGENERATE!r} is off, all, or a list of step names, not {value!r}."
        )

    @classmethod
    def _from_text(cls, text: str) -> Regenerate:
        word = text.strip()
        if word.lower() in _OFF:
            return cls()
        if word.lower() in _ALL:
            return cls(everything=True)
        if word.startswith("["):
            try:
                names = json.loads(word)
            except ValueError:
                raise PipelineParameterError(f"Parameter {REGENERATE!r}: {text!r} is no JSON list.") from None
            return cls.parse(names)
        return cls.parse([name.strip() for name in word.split(",")])

    def forces(self, *names: str) -> bool:
        """Whether a step that goes by any of these names has to run."""
        return self.everything or any(name.strip() in self.steps for name in names)

    def check(self, known: Iterable[str]) -> None:
        """Refuse names that no step goes by.

        :raises PipelineParameterError: naming them and the steps there are.
        """
        names = sorted({name.strip() for name in known})
        unknown = sorted(self.steps - set(names))
        if unknown:
            raise PipelineParameterError(
                f"Parameter {REGENERATE!r}: there is no step {', '.join(map(repr, unknown))}; "
                f"there is {', '.join(names) or 'none'}. Or say off, or all."
            )
