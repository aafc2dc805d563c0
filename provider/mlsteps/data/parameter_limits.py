"""ParameterLimits: which values of its type a parameter may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What they are called in JSON schema.
LIMITS = ("enum", "minimum", "maximum")


@dataclass(frozen=True)
class ParameterLimits:
    """What a value has to keep to besides its type.

    :param choices: The values that there are; None is any.
    :param minimum, maximum: Of a number, both included.
    """

    choices: tuple[Any, ...] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None

    @classmethod
    def of(
        cls, default: Any, choices: Sequence[Any] | None, minimum: float | None, maximum: float | None
    ) -> ParameterLimits:
        """Limits that fit a default.

        :raises ValueError: they do not; the text says what is wrong, without the parameter's name.
        """
        limits = cls(None if choices is None else tuple(choices), minimum, maximum)
        kind = type(default)
        if limits.choices is not None:
            if kind not in (str, int, float) or any(type(one) is not kind for one in limits.choices):
                raise ValueError(f"choices are texts or numbers like the default, got {choices!r}")
            if len(set(limits.choices)) != len(limits.choices):
                raise ValueError(f"choices has a value twice: {choices!r}")
        for name, bound in (("minimum", minimum), ("maximum", maximum)):
            if bound is not None and (kind not in (int, float) or type(bound) not in (int, float)):
                raise ValueError(f"{name} is a number, of a parameter that is one, got {bound!r}")
        problem = limits.problem(default)
        if problem is not None:
            raise ValueError(f"the default {default!r} {problem}")
        return limits

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value of the parameter's type, as the end of a sentence; None if it may be."""
        if self.choices is not None and value not in self.choices:
            return f"is none of {', '.join(map(repr, self.choices))}"
        # Written so that nan, which is neither, is outside.
        if self.minimum is not None and not value >= self.minimum:
            return f"is below the minimum of {self.minimum}"
        if self.maximum is not None and not value <= self.maximum:
            return f"is above the maximum of {self.maximum}"
        return None

    def schema(self) -> dict[str, Any]:
        """The same as JSON schema."""
        choices = None if self.choices is None else list(self.choices)
        said = zip(LIMITS, (choices, self.minimum, self.maximum), strict=True)
        return {name: value for name, value in said if value is not None}
